"""Graphs in a faster form answer as they did before; one that would not is left as it was."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import helper, numpy_helper

from hordenode.config import EngineSettings
from hordenode.engine.image.unet import NEVER_WHOLE, SCORES
from hordenode.engine.runtime import Runtime
from hordenode.library.contained import Limits
from hordenode.library.convert import winograd
from hordenode.library.convert.attention import fuse_attention
from hordenode.library.convert.fuse import NEW, WEIGHTS, _noise, fuse, fuse_with_filters
from hordenode.library.convert.graph_names import CHANGED, module_weights
from hordenode.library.convert.upsampling import fuse_upsampling, phases
from hordenode.library.errors import LibraryError

GOLDENS = Path(__file__).parents[1] / "numeric" / "goldens"
SETTINGS = EngineSettings(threads=1, providers=("cpu",))
RUNTIME = Runtime(SETTINGS)


def silent(words: str) -> None:
    """Progress that nobody watches."""


def copied(folder: Path, part: str = "unet") -> Path:
    shutil.copytree(GOLDENS / "image" / part, folder / part)
    return folder / part / "model.onnx"


def fused(file: Path, provider: str = "cpu") -> str:
    return fuse(file, provider, SETTINGS, Limits(), silent).words


def weights(file: Path) -> set[str]:
    """Those that a LoRA could change."""
    return {each.initializer for each in module_weights(onnx.load(file, load_external_data=False).graph)}


def kinds(file: Path) -> list[str]:
    return [node.op_type for node in onnx.load(file, load_external_data=False).graph.node]


@pytest.mark.parametrize(("height", "width", "batch"), [(8, 8, 2), (12, 8, 1), (10, 16, 3)])
def test_a_unet_answers_the_same_at_every_size(tmp_path: Path, height: int, width: int, batch: int) -> None:
    file = copied(tmp_path)
    random = np.random.default_rng(1)
    before = RUNTIME.open(file)
    states = before.inputs["encoder_hidden_states"].shape[2] or 0
    feeds = {
        "sample": random.standard_normal((batch, 4, height, width)),
        "timestep": np.full([size or 1 for size in before.inputs["timestep"].shape], 321),
        "encoder_hidden_states": random.standard_normal((batch, 77, states)),
    }
    attentions = kinds(file).count("Softmax")
    assert f"unet: {attentions} attentions and 1 upsamplings" in fused(file)
    after = RUNTIME.open(file)
    assert "Softmax" not in kinds(file) and "Resize" not in kinds(file)
    assert after.notes[SCORES] == NEVER_WHOLE and (file.parent / WEIGHTS).exists()
    expected = before.run(feeds)
    np.testing.assert_allclose(after.run(feeds), expected, rtol=0, atol=2e-6 * np.abs(expected).max())


def test_a_decoder_answers_the_same(tmp_path: Path) -> None:
    file = copied(tmp_path, "vae_decoder")
    feeds = {"latent_sample": np.random.default_rng(2).standard_normal((1, 4, 6, 10))}
    expected = RUNTIME.open(file).run(feeds)
    assert fused(file)
    np.testing.assert_allclose(RUNTIME.open(file).run(feeds), expected, rtol=0, atol=1e-5 * np.abs(expected).max())


def test_filters_of_phases_are_sums_of_the_filter() -> None:
    weight = np.random.default_rng(3).standard_normal((2, 3, 3, 3)).astype(np.float32)
    for phase in phases(weight):
        np.testing.assert_allclose(phase.sum((2, 3)), weight.sum((2, 3)), rtol=1e-5)


@pytest.mark.parametrize("tile", [2, 4])
@pytest.mark.parametrize(("height", "width", "batch"), [(8, 8, 2), (12, 8, 1), (4, 16, 3)])
def test_filters_with_fewer_products_answer_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tile: int, height: int, width: int, batch: int
) -> None:
    monkeypatch.setattr(winograd, "SMALL", 0 if tile == 2 else winograd.SMALL)
    x = helper.make_tensor_value_info("sample", onnx.TensorProto.FLOAT, ["n", 8, "h", "w"])
    y = helper.make_tensor_value_info("made", onnx.TensorProto.FLOAT, None)
    plain, halved = {"kernel_shape": [3, 3], "pads": [1] * 4}, {"kernel_shape": [1, 1], "strides": [2, 2]}
    nodes = [
        helper.make_node("Conv", ["sample", "a", "bias"], ["first"], "/first/Conv", **plain),
        helper.make_node("Conv", ["first", "point"], ["half"], "/half/Conv", **halved),
        helper.make_node("Conv", ["half", "a"], ["second"], "/second/Conv", **plain),
        helper.make_node("Conv", ["second", "point"], ["quarter"], "/quarter/Conv", **halved),
        helper.make_node("Conv", ["quarter", "a"], ["made"], "/third/Conv", **plain),
    ]
    random = np.random.default_rng(5)
    shapes = {"a": (8, 8, 3, 3), "point": (8, 8, 1, 1), "bias": (8,)}
    stored = [numpy_helper.from_array(random.standard_normal(s).astype(np.float32), n) for n, s in shapes.items()]
    graph = helper.make_graph(nodes, "tiny", [x], [y], stored)
    model = helper.make_model(graph, ir_version=8, opset_imports=[helper.make_opsetid("", 17)])
    onnx.save(model, tmp_path / "before.onnx")
    assert winograd.fuse_filters(model, least=8) > 0
    assert [node.name for node in model.graph.node if node.op_type == "Conv" and "a" in node.input] == ["/third/Conv"]
    assert {each.module for each in module_weights(model.graph)} == {"first", "half", "second", "quarter", "third"}
    onnx.save(model, tmp_path / "after.onnx")
    feeds = {"sample": random.standard_normal((batch, 8, height, width)).astype(np.float32)}
    expected, made = (RUNTIME.open(tmp_path / name).run(feeds) for name in ("before.onnx", "after.onnx"))
    assert np.abs(made - expected).max() < 2e-5 * np.abs(expected).max()
    assert winograd.fuse_filters(model, least=8) == 0  # once is enough


def test_filters_are_kept_where_they_profit_and_show_the_weights_of_their_modules(tmp_path: Path) -> None:
    file = copied(tmp_path)
    before, names = file.read_bytes(), weights(file)
    assert fuse_with_filters(file, SETTINGS, Limits(), least=8, gain=1.0) == 0 and file.read_bytes() == before
    short = replace(SETTINGS, memory_mb=1)
    assert fuse_with_filters(file, short, Limits(), least=8, gain=-99.0) == 0 and file.read_bytes() == before
    assert fuse_with_filters(file, SETTINGS, Limits(), least=8, gain=-99.0) == 1
    assert weights(file) == names and kinds(file).count("ConvTranspose") > 3
    assert not file.with_name(NEW).exists()


def test_a_changed_weight_changes_what_a_filter_with_fewer_products_answers(tmp_path: Path) -> None:
    """As a LoRA does it: the session is given another value for the initializer."""
    plain, fewer = copied(tmp_path / "plain"), copied(tmp_path / "fewer")
    assert fuse_with_filters(fewer, SETTINGS, Limits(), least=8, gain=-99.0)
    graph = onnx.load(fewer).graph
    name = next(node.input[0] for node in graph.node if node.name.endswith(CHANGED))
    answers = []
    for file in (plain, fewer):
        model = onnx.load(file)
        weight = next(each for each in model.graph.initializer if each.name == name)
        value = onnxruntime.OrtValue.ortvalue_from_numpy(2 * numpy_helper.to_array(weight))
        onnx.save(model, file, save_as_external_data=True, location="weights", size_threshold=1024)
        options = onnxruntime.SessionOptions()
        options.add_external_initializers([name], [value])
        session = RUNTIME.open(file)
        noise = {key: each.astype(session.inputs[key].dtype) for key, each in _noise(session, (8, 8)).items()}
        changed = onnxruntime.InferenceSession(str(file), options, providers=["CPUExecutionProvider"])
        answers += [session.run(noise), changed.run(None, noise)[0]]
    unchanged, changed, same_unchanged, same_changed = answers
    np.testing.assert_allclose(same_unchanged, unchanged, rtol=0, atol=1e-5 * np.abs(unchanged).max())
    np.testing.assert_allclose(same_changed, changed, rtol=0, atol=1e-5 * np.abs(changed).max())
    assert np.abs(changed - unchanged).max() > 1e-3 * np.abs(unchanged).max()


def test_attention_of_another_scale_is_left_alone(tmp_path: Path) -> None:
    """The operator scales by the size of a head; a graph that does not would answer differently."""
    file = copied(tmp_path)
    model = onnx.load(file)
    softmax = next(node for node in model.graph.node if node.op_type == "Softmax")
    place = list(model.graph.node).index(softmax)
    scores = next(node for node in model.graph.node if softmax.input[0] in node.output)
    query = next(node for node in model.graph.node if scores.input[0] in node.output)
    assert query.op_type == "Mul"
    model.graph.initializer.append(numpy_helper.from_array(np.float32(3.0), "three"))
    query.input[1] = "three"
    onnx.save(model, file)
    before = file.read_bytes()
    assert fused(file) == "" and file.read_bytes() == before and place > 0
    assert not (file.parent / NEW).exists() and not (file.parent / WEIGHTS).exists()


@pytest.mark.parametrize(
    ("changes", "kind"),
    [
        ({"group": 4}, "Conv"),
        ({"strides": [2, 2]}, "Conv"),
        ({"dilations": [2, 2]}, "Conv"),
        ({"mode": "linear"}, "Resize"),
    ],
)
def test_other_filters_and_doublings_are_not_taken_for_those(changes: dict[str, object], kind: str) -> None:
    model = onnx.load(GOLDENS / "image" / "unet" / "model.onnx")
    resize = next(node for node in model.graph.node if node.op_type == "Resize")
    conv = next(node for node in model.graph.node if resize.output[0] in node.input)
    node = resize if kind == "Resize" else conv
    for name, value in changes.items():
        for old in [each for each in node.attribute if each.name == name]:
            node.attribute.remove(old)
        node.attribute.append(helper.make_attribute(name, value))
    assert not fuse_upsampling(model, GOLDENS)


def test_what_a_provider_has_no_operator_for_stays(tmp_path: Path) -> None:
    file = copied(tmp_path)
    before = file.read_bytes()
    assert fused(file, "openvino") == "" and file.read_bytes() == before
    assert "and 0 upsamplings" in fused(file, "cuda") and "Resize" in kinds(file)


def test_a_graph_without_attention_has_none() -> None:
    model = onnx.load(GOLDENS / "image" / "unet" / "model.onnx")
    for node in model.graph.node:
        if node.op_type == "Transpose":
            node.name, node.op_type = "", "Identity"
            del node.attribute[:]
    assert fuse_attention(model) == 0 and not model.metadata_props


def test_a_file_that_is_no_graph_is_named(tmp_path: Path) -> None:
    file = copied(tmp_path)
    file.write_bytes(b"no protobuf" * 99)
    with pytest.raises(LibraryError, match=r"unet/model\.onnx: is damaged"):
        fused(file)
