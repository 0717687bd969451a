# mypy: ignore-errors
"""Converted checkpoints of every family beside transformers, live: the same greedy tokens. See test_images.py."""

from __future__ import annotations

import json

import pytest
import torch
import transformers
from click.testing import CliRunner
from transformers import AutoModelForCausalLM, PreTrainedTokenizerFast

from hordenode.catalog import Catalog, load_catalog
from hordenode.cli import main
from hordenode.config import EngineSettings
from hordenode.engine.jobs import TextJob
from hordenode.engine.onnx_backend import OnnxBackend
from tests.library.tiny import CONFIGS, write_checkpoint

PROMPTS = ("The quick brown fox", "x", "12+30=42;" * 3)  # below 64 tokens in all, where long rotations begin
LENGTH = 24


def as_this_version_reads_it(folder):
    """Rotation by the keys of transformers 4, where that is the one that is installed."""
    if int(transformers.__version__.partition(".")[0]) >= 5:
        return
    file = folder / "config.json"
    config = json.loads(file.read_text(encoding="utf-8"))
    rotation = config.pop("rope_parameters")
    if "full_attention" in rotation:
        config["rope_local_base_freq"] = rotation["sliding_attention"]["rope_theta"]
        rotation = rotation["full_attention"]
    for key in ("rope_theta", "partial_rotary_factor", "original_max_position_embeddings"):
        if key in rotation:
            config[key] = rotation[key]
    if rotation["rope_type"] != "default":
        kept = {key: value for key, value in rotation.items() if key not in ("rope_theta", "partial_rotary_factor")}
        config["rope_scaling"] = {**kept, "type": rotation["rope_type"]}
        if rotation["rope_type"] == "longrope":
            config["rope_scaling"] = {key: kept[key] for key in ("long_factor", "short_factor")} | {"type": "longrope"}
    file.write_text(json.dumps(config), encoding="utf-8")


@pytest.mark.parametrize("case", CONFIGS)
def test_a_converted_checkpoint_writes_what_transformers_writes(tmp_path, case):
    source = write_checkpoint(tmp_path / "source", case)
    as_this_version_reads_it(source)
    words = [
        "models",
        "add",
        str(source),
        "--name",
        "added",
        "--precision",
        "fp32",
        "--data-dir",
        str(tmp_path / "data"),
    ]
    result = CliRunner().invoke(main, words, env={"HORDENODE_ENGINE_PROVIDERS": "cpu"})
    assert result.exit_code == 0 and "transformers agrees" in result.output, result.output
    model = load_catalog(tmp_path / "data").text["added"]
    backend = OnnxBackend(Catalog(text={"added": model}), EngineSettings(threads=2, providers=("cpu",)))
    peer = AutoModelForCausalLM.from_pretrained(source, dtype=torch.float32, attn_implementation="eager").eval()
    tokenizer = PreTrainedTokenizerFast(tokenizer_file=str(source / "tokenizer.json"))
    for prompt in PROMPTS:
        made = backend.run(TextJob("job", "added", prompt, max_length=LENGTH, temperature=0.0), lambda progress: None)
        ids = torch.tensor([tokenizer(prompt).input_ids])
        with torch.no_grad():
            answer = peer.generate(ids, attention_mask=torch.ones_like(ids), max_new_tokens=LENGTH, do_sample=False)
        expected = tokenizer.decode(answer[0, ids.shape[1] :], skip_special_tokens=True).removesuffix("<end>")
        assert made.text == expected
    backend.close()
