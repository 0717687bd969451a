"""A text model as it is loaded computes the logits of the last token alone, and they are what they were."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from hordenode.catalog import PACKAGE
from hordenode.config import EngineSettings
from hordenode.engine.runtime import Array, Runtime, Session
from hordenode.engine.text.last_token import SPANS, last_only, trimmed
from hordenode.engine.text.layout import read_config
from hordenode.engine.text.samplers import SPAN, WIDE

GOLDENS = Path(__file__).parent / "goldens"
RUNTIME = Runtime(EngineSettings(threads=1, providers=("cpu",)))
TOKENS = np.array([[5, 9, 44, 3, 7]])
FOLDERS = {
    "genai": GOLDENS / "text",
    "optimum": Path(__file__).parents[1] / "library" / "goldens" / "optimum",
    "demo": PACKAGE / "demo" / "models" / "text",
}


def answer(session: Session, folder: Path) -> Array:
    """Logits [1, positions, vocabulary] of a prompt."""
    decoder = read_config(folder).model.decoder
    feeds: dict[str, Array] = {
        "input_ids": TOKENS,
        "attention_mask": np.ones_like(TOKENS),
        "position_ids": np.arange(TOKENS.size)[None],
    }
    empty = np.zeros((1, decoder.num_key_value_heads, 0, decoder.head_size), np.float32)
    feeds |= {name: empty for name in session.inputs if name.startswith("past_key_values.")}
    return session.run({name: value for name, value in feeds.items() if name in session.inputs})


@pytest.mark.parametrize("name", FOLDERS)
def test_the_last_position_alone_is_computed(name: str) -> None:
    folder = FOLDERS[name]
    decoder = read_config(folder).model.decoder
    file = folder / decoder.filename
    model = last_only(file, decoder.outputs.logits)
    assert model is not None
    whole, last = (answer(RUNTIME.open(file, changed), folder) for changed in (None, model))
    assert last.shape == (1, 1, whole.shape[2])
    np.testing.assert_allclose(last[:, 0], whole[:, -1], rtol=0, atol=1e-4)


@pytest.mark.parametrize(("opset", "width"), [(14, WIDE), (21, WIDE + SPAN), (21, WIDE + 1)])
def test_the_highest_of_neighbours_is_told(tmp_path: Path, opset: int, width: int) -> None:
    """Where the vocabulary is wide, and neighbours come out even."""
    weight = np.random.default_rng(width).standard_normal((8, width), np.float32)
    graph = helper.make_graph(
        [helper.make_node("MatMul", ["state", "weight"], ["logits"])],
        "head",
        [helper.make_tensor_value_info("state", TensorProto.FLOAT, ["rows", "positions", 8])],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["rows", "positions", width])],
        [numpy_helper.from_array(weight, "weight")],
    )
    file = tmp_path / "model.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8), str(file))
    session = RUNTIME.open(file, last_only(file, "logits"))
    assert (SPANS in session.outputs) == (width % SPAN == 0)
    state = np.random.default_rng(0).standard_normal((3, 2, 8), np.float32)
    logits, *spans = session.fetch({"state": state}, list(session.outputs))
    np.testing.assert_allclose(logits[:, 0], state[:, 1] @ weight, rtol=0, atol=1e-5)
    for told in spans:
        np.testing.assert_array_equal(told, logits.reshape(3, -1, SPAN).max(axis=2))


def test_what_cannot_be_changed_stays(tmp_path: Path) -> None:
    file = FOLDERS["genai"] / "model.onnx"
    assert last_only(file, "no such output") is None
    assert last_only(file, "present.0.key") is None, "what attention makes is no product of a matrix"
    assert last_only(tmp_path / "nothing.onnx", "logits") is None
    (tmp_path / "damaged.onnx").write_bytes(file.read_bytes()[:-7])
    assert last_only(tmp_path / "damaged.onnx", "logits") is None
    assert trimmed(b"", "logits") is None
