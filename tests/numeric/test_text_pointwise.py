"""Stored matrices as pointwise convolutions: other operators, the same answers."""

from __future__ import annotations

import json
import platform
from collections import Counter
from pathlib import Path

import numpy as np
import onnx
import pytest

from hordenode.catalog import TextModel
from hordenode.config import EngineSettings
from hordenode.engine.jobs import ProviderReport, TextJob, TextResult
from hordenode.engine.runtime import Runtime
from hordenode.engine.tensors import Array
from hordenode.engine.text import pointwise
from hordenode.engine.text.last_token import last_only
from hordenode.engine.text.layout import read_config
from hordenode.engine.text.pipeline import TextPipeline
from hordenode.library.convert.text import convert_text
from tests.library.tiny import CONFIGS, write_checkpoint

RUNTIME = Runtime(EngineSettings(threads=2, providers=("cpu",)))
CPU = ProviderReport("cpu", 2)


@pytest.fixture(autouse=True)
def _small_matrices(monkeypatch: pytest.MonkeyPatch) -> None:
    """The models here have no others, and with few channels one of two threads always waits."""
    monkeypatch.setattr(pointwise, "LEAST", 0)
    monkeypatch.setattr(pointwise, "IDLE", 9)


def convert(folder: Path, case: str) -> Path:
    convert_text(write_checkpoint(folder / "source", case), folder / "model", "fp32", lambda words: None)
    return folder / "model"


def changed(folder: Path, threads: int = 2) -> tuple[bytes, bytes | None]:
    """The graph as it is loaded without convolutions, and with them."""
    last = last_only(folder / "model.onnx", "logits")
    assert last is not None
    return last, pointwise.convolved(last, "input_ids", threads)


def answers(folder: Path, model: bytes, rows: int, positions: int) -> list[Array]:
    """Logits of the last position, and what is kept of layer 0."""
    session, decoder = RUNTIME.open(folder / "model.onnx", model), read_config(folder).model.decoder
    empty = np.zeros((rows, decoder.num_key_value_heads, 0, decoder.head_size), np.float32)
    feeds: dict[str, Array] = {
        "input_ids": np.random.default_rng(positions).integers(0, 96, (rows, positions)),
        "attention_mask": np.ones((rows, positions), np.int64),
        **{name: empty for name in session.inputs if name.startswith("past_key_values.")},
    }
    return session.fetch(feeds, ["logits", "present.0.key", "present.0.value"])


def kinds(model: bytes) -> Counter[str]:
    return Counter(node.op_type for node in onnx.load_from_string(model).graph.node)


@pytest.mark.parametrize("case", CONFIGS)
def test_every_family_answers_as_before(tmp_path: Path, case: str) -> None:
    folder = convert(tmp_path, case)
    before, after = changed(folder)
    assert after is not None
    assert (kinds(before)["FusedMatMul"], kinds(after)["FusedMatMul"]) == (kinds(after)["Conv"] - _split(after), 0)
    for rows, positions in ((1, 1), (1, 7), (5, 1), (1, 33)):
        for expected, made in zip(
            answers(folder, before, rows, positions), answers(folder, after, rows, positions), strict=True
        ):
            np.testing.assert_allclose(made, expected, rtol=0, atol=2e-5 * np.abs(expected).max())


def _split(model: bytes) -> int:
    """How many products became two."""
    return sum(name.endswith(".gate.conv") for node in onnx.load_from_string(model).graph.node for name in node.output)


def test_a_gated_part_stays_in_its_layout(tmp_path: Path) -> None:
    folder = convert(tmp_path, "llama")
    before, after = changed(folder)
    assert after is not None
    layers = json.loads((folder / "config.json").read_text(encoding="utf-8"))["num_hidden_layers"]
    assert (_split(after), kinds(before)["Split"], kinds(after)["Split"]) == (layers, layers, 0)
    stored = onnx.load_from_string(after).graph.initializer
    assert len({each.name for each in stored}) == len(stored)
    sizes = {tuple(each.dims) for each in stored if each.name.endswith(".filters")}
    assert (96, 64, 1, 1) in sizes and (192, 64, 1, 1) not in sizes


def test_texts_side_by_side_are_what_they_are_without(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = convert(tmp_path, "mistral")

    def write() -> dict[str, tuple[int, str]]:
        pipeline = TextPipeline(TextModel(path=folder, context=64, max_batch=3), RUNTIME)
        for number in range(5):
            pipeline.begin(TextJob(str(number), "m", "quick fox " * (number + 1), 12, 64, seed=number))
        done = {}
        while pipeline.batch.busy:
            for outcome in pipeline.batch.step():
                if isinstance(outcome, TextResult):
                    done[outcome.id] = outcome.tokens, outcome.text
        return done

    monkeypatch.setattr(pointwise, "X86", (platform.machine().lower(),))
    calls: list[bool] = []
    real = pointwise.convolved

    def seen(model: bytes, ids: str, threads: int) -> bytes | None:
        calls.append(True)
        return real(model, ids, threads)

    monkeypatch.setattr(pointwise, "convolved", seen)
    convolutions = write()
    assert calls and len(convolutions) == 5
    monkeypatch.setattr(pointwise, "X86", ())
    assert write() == convolutions and len(calls) == 1


def test_where_it_was_not_found_to_pay_nothing_changes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pointwise, "X86", (platform.machine().lower(),))
    assert pointwise.pays(CPU, 100, None) and pointwise.pays(CPU, 100, 250)
    assert not pointwise.pays(CPU, 100, 249), "there is no room for two copies"
    assert not pointwise.pays(ProviderReport("cuda", 2), 100, None)
    monkeypatch.setattr(pointwise, "X86", ("another",))
    assert not pointwise.pays(CPU, 100, None)


def test_what_does_not_fit_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = convert(tmp_path, "llama linear")
    before, after = changed(folder)
    assert after is not None
    monkeypatch.setattr(pointwise, "LEAST", 96 * 64 + 1)
    _, fewer = changed(folder)
    assert fewer is not None and 0 < kinds(fewer)["FusedMatMul"] < kinds(before)["FusedMatMul"]
    monkeypatch.setattr(pointwise, "IDLE", 0.15)
    assert changed(folder, threads=16)[1] is None, "fewer sets of channels than threads"
    monkeypatch.setattr(pointwise, "LEAST", 10**6)
    assert changed(folder)[1] is None
    others = onnx.load_from_string(before)
    others.producer_name = "another program"
    monkeypatch.setattr(pointwise, "LEAST", 0)
    monkeypatch.setattr(pointwise, "IDLE", 9)
    assert pointwise.convolved(others.SerializeToString(), "input_ids", 2) is None
    assert pointwise.convolved(before[:-7], "input_ids", 2) is None
    assert pointwise.convolved(b"", "input_ids", 2) is None
