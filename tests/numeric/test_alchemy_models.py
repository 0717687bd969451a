"""Forms that need a model, with real graphs: tiny ones whose answers are known."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from PIL import Image
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import Whitespace

from hordenode.catalog import Catalog, read_catalog
from hordenode.config import EngineSettings
from hordenode.engine.jobs import AlchemyJob, AlchemyResult, ModelFileError, Picture, UnsupportedJob
from hordenode.engine.onnx_backend import OnnxBackend

SETTINGS = EngineSettings(threads=1, providers=("cpu",))
PLAIN = {"size": 8, "image_mean": [0.0] * 3, "image_std": [1.0] * 3}


def info(name: str, shape: list[Any], kind: int = TensorProto.FLOAT) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, kind, shape)


def constant(name: str, value: Any, kind: Any = np.float32) -> onnx.TensorProto:
    return numpy_helper.from_array(np.array(value, kind), name)


def save(file: Path, nodes: list[Any], inputs: list[Any], outputs: list[Any], weights: list[Any]) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    graph = helper.make_graph(nodes, "tiny", inputs, outputs, weights)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), file)


def enlarger(file: Path, scale: int, side: int | None = None) -> None:
    """Nearest-neighbour enlargement of any size, or of one alone."""
    sizes: list[Any] = [1, 3, side or "h", side or "w"]
    node = helper.make_node("Resize", ["x", "", "scales"], ["y"], mode="nearest", nearest_mode="floor",
                            coordinate_transformation_mode="asymmetric")  # fmt: skip
    save(file, [node], [info("x", sizes)], [info("y", [1, 3, "h2", "w2"])], [constant("scales", [1, 1, scale, scale])])


def picture(width: int, height: int, alpha: bool = False) -> Image.Image:
    channels = 4 if alpha else 3
    pixels = np.random.default_rng(7).integers(0, 256, (height, width, channels), np.uint8)
    return Image.fromarray(pixels)


def encoded(image: Image.Image) -> bytes:
    out = io.BytesIO()
    image.save(out, "PNG")
    return out.getvalue()


def backend(folder: Path, *forms: str) -> OnnxBackend:
    """An engine with models for these forms in folders of their names."""
    file = folder / "models.toml"
    file.write_text("\n".join(f'[alchemy."{form}"]\npath = "{form}"' for form in forms))
    return OnnxBackend(Catalog(alchemy=read_catalog(file, folder).alchemy), SETTINGS)


def do(engine: OnnxBackend, form: str, image: Image.Image, **options: str) -> AlchemyResult:
    steps: list[tuple[int, int]] = []
    job = AlchemyJob("job", form, encoded(image), options)
    made = engine.run(job, lambda progress: steps.append((progress.step, progress.steps)))
    assert isinstance(made, AlchemyResult)
    assert steps[-1][0] <= steps[-1][1]
    return made


def array(made: Picture | None) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    assert made is not None
    return np.frombuffer(made.rgb, np.uint8).reshape(made.height, made.width, 3)


@pytest.mark.parametrize(("form", "factor"), [("RealESRGAN_x2plus", 2), ("2xModernSpanimationV1", 2), ("NMKD_Siax", 4)])
@pytest.mark.parametrize("side", [None, 64])
def test_upscalers_enlarge_tile_by_tile(tmp_path: Path, form: str, factor: int, side: int | None) -> None:
    enlarger(tmp_path / form / "model.onnx", factor, side)
    source = picture(300, 90)
    made = array(do(backend(tmp_path, form), form, source).picture)
    assert np.array_equal(made, np.asarray(source).repeat(factor, axis=0).repeat(factor, axis=1))


def test_a_graph_of_another_factor_is_brought_to_the_one_of_the_form(tmp_path: Path) -> None:
    enlarger(tmp_path / "RealESRGAN_x2plus" / "model.onnx", 4)
    made = do(backend(tmp_path, "RealESRGAN_x2plus"), "RealESRGAN_x2plus", picture(40, 20, alpha=True)).picture
    assert made is not None and (made.width, made.height) == (80, 40)
    assert len(made.alpha) == 80 * 40 and len(set(made.alpha)) > 2


def test_what_would_grow_too_large_is_refused(tmp_path: Path) -> None:
    enlarger(tmp_path / "NMKD_Siax" / "model.onnx", 4)
    with pytest.raises(UnsupportedJob, match="would make 20000x40 pixels"):
        do(backend(tmp_path, "NMKD_Siax"), "NMKD_Siax", Image.new("RGB", (5000, 10)))


def test_a_graph_of_another_layout_is_named(tmp_path: Path) -> None:
    node = helper.make_node("ReduceMean", ["x"], ["y"], axes=[1], keepdims=1)
    save(
        tmp_path / "NMKD_Siax" / "model.onnx", [node], [info("x", [1, 3, "h", "w"])], [info("y", [1, 1, "h", "w"])], []
    )
    with pytest.raises(ModelFileError, match=r"model\.onnx: made the shape .* It must take one picture as"):
        do(backend(tmp_path, "NMKD_Siax"), "NMKD_Siax", picture(16, 16))


def test_a_face_fixer_comes_through_as_strongly_as_asked(tmp_path: Path) -> None:
    nodes = [helper.make_node("Sub", ["one", "x"], ["y"])]
    save(tmp_path / "GFPGAN" / "model.onnx", nodes, [info("x", [1, 3, "h", "w"])], [info("y", [1, 3, "h", "w"])],
         [constant("one", 1.0)])  # fmt: skip
    engine, source = backend(tmp_path, "GFPGAN"), picture(20, 10)
    pixels = np.asarray(source).astype(int)
    assert np.array_equal(array(do(engine, "GFPGAN", source).picture), 255 - pixels)
    half = array(do(engine, "GFPGAN", source, facefixer_strength="0.5").picture)
    assert np.abs(half.astype(int) - 127.5).max() <= 1


def test_the_background_becomes_transparent(tmp_path: Path) -> None:
    """The graph takes the red channel for the mask."""
    folder = tmp_path / "strip_background"
    nodes = [helper.make_node("Slice", ["pixel_values", "zero", "one", "one"], ["mask"])]
    weights = [constant("zero", [0], np.int64), constant("one", [1], np.int64)]
    save(folder / "model.onnx", nodes, [info("pixel_values", [1, 3, 8, 8])], [info("mask", [1, 1, 8, 8])], weights)
    (folder / "preprocessor_config.json").write_text(json.dumps(PLAIN))
    image = Image.new("RGB", (64, 32), "blue")
    image.paste("red", (0, 0, 32, 32))
    made = do(backend(tmp_path, "strip_background"), "strip_background", image).picture
    assert made is not None
    alpha = np.frombuffer(made.alpha, np.uint8).reshape(32, 64)
    assert alpha[:, :20].min() == 255 and alpha[:, 44:].max() == 0
    assert np.array_equal(array(made), np.asarray(image))


def classifier(folder: Path, weights: list[float], middle: float = 0.0) -> None:
    """Logits or a mark from how much brighter than `middle` the picture is."""
    nodes = [
        helper.make_node("ReduceMean", ["pixel_values"], ["mean"], axes=[1, 2, 3], keepdims=0),
        helper.make_node("Unsqueeze", ["mean", "last"], ["column"]),
        helper.make_node("MatMul", ["column", "w"], ["logits"]),
    ]
    given = [constant("w", [weights]), constant("last", [1], np.int64)]
    save(
        folder / "model.onnx",
        nodes,
        [info("pixel_values", ["b", 3, 8, 8])],
        [info("logits", ["b", len(weights)])],
        given,
    )
    (folder / "preprocessor_config.json").write_text(json.dumps(PLAIN | {"image_mean": [middle] * 3}))
    (folder / "config.json").write_text(json.dumps({"id2label": {"0": "normal", "1": "nsfw"}}))


def test_marks_are_between_0_and_10(tmp_path: Path) -> None:
    classifier(tmp_path / "aesthetic", [20.0])
    engine = backend(tmp_path, "aesthetic")
    assert do(engine, "aesthetic", Image.new("RGB", (30, 30), (51, 51, 51))).value == 4.0
    assert do(engine, "aesthetic", Image.new("RGB", (30, 30), "white")).value == 10.0


@pytest.mark.parametrize("kind", ["alchemy", "safety"])
def test_nsfw_asks_a_model_of_its_own_or_the_safety_model(tmp_path: Path, kind: str) -> None:
    classifier(tmp_path / "nsfw", [0.0, 10.0], middle=0.5)
    file = tmp_path / "models.toml"
    file.write_text(f'[{kind}."nsfw"]\npath = "nsfw"')
    found = read_catalog(file, tmp_path)
    engine = OnnxBackend(Catalog(alchemy=found.alchemy, safety=found.safety), SETTINGS)
    assert "nsfw" in [each.name for each in engine.models()]
    assert do(engine, "nsfw", Image.new("RGB", (9, 9), "white")).value is True
    assert do(engine, "nsfw", Image.new("RGB", (9, 9), "black")).value is False


WORDS = ["<s>", "</s>", "a", "red", "blue", "picture", "of", "sky"]
# From each word to its successors, the likelier first.
NEXT = {
    "<s>": "a",
    "a": "picture",
    "picture": "of",
    "of": "sky",
    "sky": "</s>",
    "red": "sky",
    "blue": "sky",
    "</s>": "</s>",
}


def captioner(folder: Path) -> None:
    """The decoder looks the next word up by the last one; a bright picture makes `red` likelier than `sky` after `of`."""
    table = np.zeros((len(WORDS), len(WORDS)), np.float32)
    for word, after in NEXT.items():
        table[WORDS.index(word), WORDS.index(after)] = 5.0
    bright = np.zeros_like(table)
    bright[WORDS.index("of"), WORDS.index("red")] = 10.0
    mean = [helper.make_node("ReduceMean", ["pixel_values"], ["m"], axes=[1, 2, 3], keepdims=1),
            helper.make_node("Reshape", ["m", "shape"], ["last_hidden_state"])]  # fmt: skip
    save(folder / "encoder_model.onnx", mean, [info("pixel_values", [1, 3, 8, 8])],
         [info("last_hidden_state", [1, 1, 1])], [constant("shape", [1, 1, 1], np.int64)])  # fmt: skip
    nodes = [
        helper.make_node("Gather", ["table", "input_ids"], ["likely"]),
        helper.make_node("Gather", ["bright", "input_ids"], ["shift"]),
        helper.make_node("Mul", ["shift", "encoder_hidden_states"], ["shifted"]),
        helper.make_node("Add", ["likely", "shifted"], ["logits"]),
    ]
    inputs = [info("input_ids", ["b", "n"], TensorProto.INT64), info("encoder_hidden_states", ["b", 1, 1])]
    save(folder / "decoder_model.onnx", nodes, inputs, [info("logits", ["b", "n", len(WORDS)])],
         [numpy_helper.from_array(table, "table"), numpy_helper.from_array(bright, "bright")])  # fmt: skip
    (folder / "preprocessor_config.json").write_text(json.dumps(PLAIN))
    (folder / "config.json").write_text(json.dumps({"decoder_start_token_id": 0, "eos_token_id": 1}))
    words(folder, WORDS)


def words(folder: Path, vocabulary: list[str]) -> None:
    tokenizer = Tokenizer(WordLevel({word: i for i, word in enumerate(vocabulary)}, unk_token=vocabulary[0]))
    tokenizer.pre_tokenizer = Whitespace()
    tokenizer.add_special_tokens([word for word in vocabulary if word.startswith("<")])
    tokenizer.save(str(folder / "tokenizer.json"))


@pytest.mark.parametrize("beams", ["1", "4"])
def test_captions_follow_the_picture(tmp_path: Path, beams: str) -> None:
    captioner(tmp_path / "caption")
    engine = backend(tmp_path, "caption")
    white, black = (Image.new("RGB", (9, 9), colour) for colour in ("white", "black"))
    assert do(engine, "caption", white, num_beams=beams).value == "a picture of red sky"
    assert do(engine, "caption", black, num_beams=beams).value == "a picture of sky"


def test_captions_keep_to_the_lengths_asked_for(tmp_path: Path) -> None:
    captioner(tmp_path / "caption")
    engine, black = backend(tmp_path, "caption"), Image.new("RGB", (9, 9))
    assert do(engine, "caption", black, max_length="2").value == "a picture"
    assert len(do(engine, "caption", black, min_length="7", max_length="9").value.split()) >= 7


def test_a_captioner_that_does_not_say_how_texts_end_is_named(tmp_path: Path) -> None:
    captioner(tmp_path / "caption")
    (tmp_path / "caption" / "config.json").write_text("{}")
    with pytest.raises(ModelFileError, match=r"config\.json: does not say which tokens a text begins and ends with"):
        do(backend(tmp_path, "caption"), "caption", Image.new("RGB", (9, 9)))


def interrogator(folder: Path) -> None:
    """Pictures and words in the space of red, green and blue."""
    mean = [helper.make_node("ReduceMean", ["pixel_values"], ["image_embeds"], axes=[2, 3], keepdims=0)]
    save(folder / "vision_model.onnx", mean, [info("pixel_values", [1, 3, 8, 8])], [info("image_embeds", [1, 3])], [])
    table = np.array([[1, 1, 1], [1, 0, 0], [0, 1, 0], [0, 0, 1]], np.float32)
    nodes = [
        helper.make_node("Gather", ["table", "input_ids"], ["each"]),
        helper.make_node("ReduceMax", ["each"], ["text_embeds"], axes=[1], keepdims=0),
    ]
    save(folder / "text_model.onnx", nodes, [info("input_ids", ["b", "n"], TensorProto.INT64)],
         [info("text_embeds", ["b", 3])], [numpy_helper.from_array(table, "table")])  # fmt: skip
    (folder / "preprocessor_config.json").write_text(json.dumps(PLAIN))
    (folder / "words.json").write_text(json.dumps({"tags": ["red", "green", "blue", "red blue"], "artists": ["blue"]}))
    words(folder, ["<any>", "red", "green", "blue"])


def test_interrogation_ranks_the_words_of_each_list(tmp_path: Path) -> None:
    interrogator(tmp_path / "interrogation")
    engine, red = backend(tmp_path, "interrogation"), Image.new("RGB", (9, 9), "red")
    found = do(engine, "interrogation", red, top_count="2").value
    assert list(found) == ["tags", "sites", "artists", "flavors", "mediums", "movements", "techniques"]
    assert [guess["text"] for guess in found["tags"]] == ["red", "red blue"] and found["sites"] == []
    assert found["tags"][0]["confidence"] > 99 and found["artists"] == [{"text": "blue", "confidence": 100.0}]
    similar = do(engine, "interrogation", red, similarity="true", top_count="4").value["tags"]
    assert [guess["confidence"] for guess in similar] == pytest.approx([1, 0.7071, 0, 0], abs=1e-4)
