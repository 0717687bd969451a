"""A text model as it is loaded computes the logits of the last token alone, and they are what they were."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from hordenode.catalog import PACKAGE
from hordenode.config import EngineSettings
from hordenode.engine.runtime import Array, Runtime, Session
from hordenode.engine.text.last_token import last_only, trimmed
from hordenode.engine.text.layout import read_config

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


def test_what_cannot_be_changed_stays(tmp_path: Path) -> None:
    file = FOLDERS["genai"] / "model.onnx"
    assert last_only(file, "no such output") is None
    assert last_only(file, "present.0.key") is None, "what attention makes is no product of a matrix"
    assert last_only(tmp_path / "nothing.onnx", "logits") is None
    (tmp_path / "damaged.onnx").write_bytes(file.read_bytes()[:-7])
    assert last_only(tmp_path / "damaged.onnx", "logits") is None
    assert trimmed(b"", "logits") is None
