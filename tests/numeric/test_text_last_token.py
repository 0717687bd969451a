"""A text model as it is loaded computes the logits of the last token alone, and they are what they were."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from hordenode.catalog import PACKAGE
from hordenode.config import EngineSettings
from hordenode.engine.runtime import Runtime, Session
from hordenode.engine.tensors import Array
from hordenode.engine.text.last_token import COUNT, LOGITS, MOST, SPAN, TOKENS, known, last_only, trimmed
from hordenode.engine.text.layout import read_config
from hordenode.engine.text.samplers import WIDE

GOLDENS = Path(__file__).parent / "goldens"
RUNTIME = Runtime(EngineSettings(threads=1, providers=("cpu",)))
IDS = np.array([[5, 9, 44, 3, 7]])
FOLDERS = {
    "genai": GOLDENS / "text",
    "optimum": Path(__file__).parents[1] / "library" / "goldens" / "optimum",
    "demo": PACKAGE / "demo" / "models" / "text",
}


def answer(session: Session, folder: Path) -> Array:
    """Logits [1, positions, vocabulary] of a prompt."""
    decoder = read_config(folder).model.decoder
    feeds: dict[str, Array] = {
        "input_ids": IDS,
        "attention_mask": np.ones_like(IDS),
        "position_ids": np.arange(IDS.size)[None],
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


def head(folder: Path, weight: NDArray[np.float32], opset: int) -> Path:
    """A model that is an output matrix [inputs, vocabulary] and nothing else."""
    inputs, width = weight.shape
    graph = helper.make_graph(
        [helper.make_node("MatMul", ["state", "weight"], ["logits"])],
        "head",
        [helper.make_tensor_value_info("state", TensorProto.FLOAT, ["rows", "positions", inputs])],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["rows", "positions", width])],
        [numpy_helper.from_array(weight, "weight")],
    )
    file = folder / "model.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8), str(file))
    return file


@pytest.mark.parametrize(
    ("opset", "width", "told"),
    [(13, WIDE, 64), (18, WIDE + SPAN, 65), (21, (MOST + 9) * SPAN, MOST), (21, WIDE + 1, 0), (12, WIDE, 0)],
)
def test_the_highest_are_told(tmp_path: Path, opset: int, width: int, told: int) -> None:
    """Where the vocabulary is wide and neighbours come out even, and the operators for it are there."""
    weight = np.random.default_rng(width).standard_normal((8, width), np.float32)
    file = head(tmp_path, weight, opset)
    session = RUNTIME.open(file, last_only(file, "logits"))
    assert [name in session.outputs for name in (LOGITS, TOKENS)] == [told > 0] * 2
    state = np.random.default_rng(0).standard_normal((3, 2, 8), np.float32)
    feeds: dict[str, Array] = {"state": state}
    logits, *few = session.fetch(feeds, list(session.outputs))
    np.testing.assert_allclose(logits[:, 0], state[:, 1] @ weight, rtol=0, atol=1e-5)
    assert [each.shape for each in few] == [(3, 1)] * 2 * (told > 0), "one, if nobody asks for more"
    for count in {1, 7, told} if told else ():
        highest, tokens = session.fetch(feeds | {COUNT: np.array([count])}, [LOGITS, TOKENS])
        assert told == known(width) and tokens.shape == (3, count)
        np.testing.assert_array_equal(highest, -np.sort(-logits[:, 0], axis=1)[:, :count])
        np.testing.assert_array_equal(np.take_along_axis(logits[:, 0], tokens, axis=1), highest)


def test_of_equal_ones_the_left_is_told_first(tmp_path: Path) -> None:
    weight = np.zeros((1, WIDE), np.float32)
    weight[0, [4000, 70, 65, 3]] = 2.0, 1.0, 2.0, 1.0
    file = head(tmp_path, weight, 21)
    (tokens,) = RUNTIME.open(file, last_only(file, "logits")).fetch(
        {"state": np.ones((1, 1, 1)), COUNT: np.array([2])}, [TOKENS]
    )
    assert tokens[0, :2].tolist() == [65, 4000]


def test_what_cannot_be_changed_stays(tmp_path: Path) -> None:
    file = FOLDERS["genai"] / "model.onnx"
    assert last_only(file, "no such output") is None
    assert last_only(file, "present.0.key") is None, "what attention makes is no product of a matrix"
    assert last_only(tmp_path / "nothing.onnx", "logits") is None
    (tmp_path / "damaged.onnx").write_bytes(file.read_bytes()[:-7])
    assert last_only(tmp_path / "damaged.onnx", "logits") is None
    assert trimmed(b"", "logits") is None
