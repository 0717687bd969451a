"""Checkpoints of every family become graphs that answer as transformers does."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import onnx
import pytest

from hordenode.library.convert.architecture import read_architecture
from hordenode.library.convert.checkpoint import Checkpoint, SafeTensors
from hordenode.library.convert.precision import PRECISIONS, quantised, restored
from hordenode.library.convert.reference import Reference
from hordenode.library.convert.text import convert_text
from hordenode.library.convert.verify import distance, verify
from hordenode.library.errors import LibraryError
from hordenode.library.logits import graph_logits
from tests.library.tiny import CONFIGS, GOLDENS, write_checkpoint

LOGITS = np.load(GOLDENS / "logits.npz")
TOKENS = LOGITS["tokens"].tolist()


def convert(folder: Path, case: str, precision: str) -> Path:
    target = folder / precision
    convert_text(write_checkpoint(folder / "source", case), target, precision, lambda words: None)
    return target


@pytest.mark.parametrize("case", CONFIGS)
def test_reference_and_graph_answer_as_transformers(tmp_path: Path, case: str) -> None:
    target = convert(tmp_path, case, "fp32")
    shape = read_architecture(tmp_path / "source")
    reference = Reference(shape, Checkpoint(SafeTensors(tmp_path / "source"), shape))
    scale = np.abs(LOGITS[case]).max()
    np.testing.assert_allclose(reference.logits(TOKENS), LOGITS[case], rtol=0, atol=1e-5 * scale)
    np.testing.assert_allclose(graph_logits(target, TOKENS), LOGITS[case], rtol=0, atol=1e-5 * scale)


@pytest.mark.parametrize("case", ["llama linear", "gemma2", "phi3"])
@pytest.mark.parametrize(("precision", "drift"), [("fp16", 0.005), ("int8", 0.06), ("int4", 0.6)])
def test_smaller_weights_stay_near_the_checkpoint(tmp_path: Path, case: str, precision: str, drift: float) -> None:
    target = convert(tmp_path, case, precision)
    assert distance(graph_logits(target, TOKENS), LOGITS[case]) < drift


@pytest.mark.parametrize(("precision", "expected"), [("fp32", 1.0), ("int4", 1.0), ("fp16", 40.0**-0.5)])
def test_scores_are_scaled_by_the_weights_where_digits_allow(tmp_path: Path, precision: str, expected: float) -> None:
    graph = onnx.load(convert(tmp_path, "gemma2", precision) / "model.onnx", load_external_data=False).graph
    mixers = [node for node in graph.node if node.op_type == "GroupQueryAttention"]
    scales = [attribute.f for node in mixers for attribute in node.attribute if attribute.name == "scale"]
    assert scales == pytest.approx([expected] * len(mixers))


@pytest.mark.parametrize("bits", [4, 8])
def test_rounding_is_off_by_half_a_level_at_most_but_at_the_end_of_the_range(bits: int) -> None:
    weight = np.random.default_rng(3).standard_normal((5, 70)).astype(np.float32)
    blocks = quantised(weight, bits)
    steps = np.abs(blocks.scales).repeat(32, 1)[:, :70]
    off = np.abs(restored(blocks, bits, 70) - weight) / steps
    assert off.max() <= 1.0 + 1e-4 and np.quantile(off, 0.9) <= 0.5


def test_zero_weights_stay_zero() -> None:
    assert not restored(quantised(np.zeros((2, 40), np.float32), 4), 4, 40).any()


def test_an_optimum_export_gives_the_same_graph(tmp_path: Path) -> None:
    target = tmp_path / "target"
    converted = convert_text(GOLDENS / "optimum", target, "fp32", lambda words: None)
    np.testing.assert_allclose(graph_logits(target, TOKENS), LOGITS["llama linear"], rtol=0, atol=1e-3)
    assert converted.agreement.same == 1.0


def test_a_graph_of_other_weights_is_refused(tmp_path: Path) -> None:
    target = convert(tmp_path, "llama", "fp32")
    shape = read_architecture(tmp_path / "source")
    other = Checkpoint(SafeTensors(write_checkpoint(tmp_path / "other", "llama")), shape)
    doubled = Reference(shape, other, lambda weight: weight * np.float32(1.01))
    with pytest.raises(LibraryError, match="does not answer as the checkpoint"):
        verify(target, doubled, PRECISIONS["fp32"])


def change(folder: Path, **changes: object) -> None:
    file = folder / "config.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), **changes}))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"model_type": "mamba"}, "'mamba' cannot be converted"),
        ({"quantization_config": {"bits": 4}}, "quantised already"),
        ({"hidden_size": "wide"}, "garbles"),
        ({"vocab_size": 95}, "embed_tokens.weight' has shape"),
        ({"num_hidden_layers": 3, "layer_types": None}, "lacks the tensor 'model.layers.2"),
        ({"rope_parameters": {"rope_type": "spiral", "rope_theta": 1.0}}, "'spiral'"),
        ({"hidden_act": "relu6"}, "relu6"),
        ({"head_dim": 24}, "multiples of 16"),
    ],
)
def test_a_configuration_that_does_not_fit_is_refused_by_name(
    tmp_path: Path, changes: dict[str, object], words: str
) -> None:
    source = write_checkpoint(tmp_path / "source", "llama")
    change(source, **changes)
    with pytest.raises(LibraryError, match=words):
        convert_text(source, tmp_path / "target", "fp32", lambda said: None)


def test_a_truncated_checkpoint_is_refused_by_name(tmp_path: Path) -> None:
    source = write_checkpoint(tmp_path / "source", "qwen3")
    weights = source / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-100])
    with pytest.raises(LibraryError, match=r"model\.safetensors: is damaged"):
        convert_text(source, tmp_path / "target", "fp32", lambda said: None)


def test_configurations_of_older_transformers_mean_the_same(tmp_path: Path) -> None:
    source = write_checkpoint(tmp_path / "source", "gemma3")
    new = read_architecture(source)
    config = json.loads((source / "config.json").read_text())
    for key in ("rope_parameters", "layer_types"):
        del config[key]
    old = {"rope_theta": 1e6, "rope_local_base_freq": 1e4, "sliding_window_pattern": 3}
    (source / "config.json").write_text(json.dumps({**config, **old}))
    read = read_architecture(source)
    assert [(r.base, r.width) for r in read.rotations] == [(r.base, r.width) for r in new.rotations]
    assert read.windows == new.windows == (9, 9, 0)


def test_a_model_that_also_sees_gives_its_text_half(tmp_path: Path) -> None:
    source = write_checkpoint(tmp_path / "source", "gemma3")
    config = json.loads((source / "config.json").read_text())
    (source / "config.json").write_text(json.dumps({"model_type": "gemma3", "text_config": config}))
    assert read_architecture(source).family == "gemma3_text"
