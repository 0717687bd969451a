"""What a folder is, told from names alone; what of it is needed."""

from __future__ import annotations

import pytest

from hordenode.library.errors import LibraryError
from hordenode.library.form import Form, recognise

ONNX = ["model_index.json", "unet/model.onnx", "unet/model.onnx_data", "unet/config.json", "vae_decoder/model.onnx"]
DIFFUSERS = [
    "model_index.json",
    "unet/config.json",
    "unet/diffusion_pytorch_model.safetensors",
    "unet/diffusion_pytorch_model.fp16.safetensors",
    "unet/diffusion_pytorch_model.bin",
    "text_encoder/model.fp16.safetensors",
    "tokenizer/vocab.json",
    "safety_checker/model.safetensors",
    "v1-5-pruned.safetensors",
    "README.md",
]
TEXT = [
    "config.json",
    "tokenizer.json",
    "model-00001-of-00002.safetensors",
    "model-00002-of-00002.safetensors",
    "model.safetensors.index.json",
    "consolidated.safetensors",
    "pytorch_model.bin",
    "modeling_custom.py",
    "original/params.json",
]


@pytest.mark.parametrize(
    ("names", "form", "needed"),
    [
        ([*ONNX, "unet/notes.bin"], Form.ONNX_IMAGE, set(ONNX)),
        (
            DIFFUSERS,
            Form.DIFFUSERS,
            {
                "model_index.json",
                "unet/config.json",
                "unet/diffusion_pytorch_model.safetensors",
                "text_encoder/model.fp16.safetensors",
                "tokenizer/vocab.json",
            },
        ),
        (TEXT, Form.CHECKPOINT_TEXT, set(TEXT[:5])),
        (
            ["config.json", "onnx/model.onnx", "onnx/model.onnx_data", "onnx/model_q4.onnx", "tokenizer.json"],
            Form.OPTIMUM_TEXT,
            {"config.json", "onnx/model.onnx", "onnx/model.onnx_data", "tokenizer.json"},
        ),
        (
            ["genai_config.json", "model.onnx", "model.onnx.data", "tokenizer.json", "readme.md"],
            Form.GENAI,
            {"genai_config.json", "model.onnx", "model.onnx.data", "tokenizer.json"},
        ),
        (["dreamy.safetensors"], Form.SINGLE_FILE, {"dreamy.safetensors"}),
    ],
)
def test_each_form_is_told_with_the_files_that_are_needed(names: list[str], form: Form, needed: set[str]) -> None:
    found = recognise(names, "source")
    assert (found.form, found.root, set(found.files)) == (form, "", needed)
    assert found.kind == ("image" if "image" in form or "diffusers" in form else "text")


def test_a_model_below_other_folders_is_found() -> None:
    found = recognise([f"deep/er/{name}" for name in ONNX] + ["README.md"], "archive")
    assert (found.form, found.root, found.files) == (Form.ONNX_IMAGE, "deep/er", tuple(sorted(ONNX)))


def test_one_of_several_is_chosen_by_folder() -> None:
    names = [f"{folder}/{name}" for folder in ("cpu", "cuda") for name in ("genai_config.json", "model.onnx")]
    with pytest.raises(LibraryError, match=r"several models \(cpu, cuda\).*--subfolder"):
        recognise(names, "repo")
    assert recognise(names, "repo", "cuda/").root == "cuda"
    with pytest.raises(LibraryError, match=r"no model in 'tpu'.*cpu, cuda"):
        recognise(names, "repo", "tpu")


def test_what_is_no_model_is_refused_with_what_it_holds() -> None:
    with pytest.raises(LibraryError, match=r"holds no model that is known.*It holds: a\.bin, pytorch_model\.bin"):
        recognise(["pytorch_model.bin", "a.bin"], "repo")
