"""Greedy tokens and logits against transformers with the same weights, whatever happens around a text."""

from __future__ import annotations

import json
import platform
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from hordenode.catalog import TextModel
from hordenode.config import EngineSettings
from hordenode.engine.backends import Failure
from hordenode.engine.jobs import TextJob, TextResult
from hordenode.engine.runtime import Runtime
from hordenode.engine.text import pointwise
from hordenode.engine.text.last_token import last_only
from hordenode.engine.text.pipeline import TextPipeline
from hordenode.engine.text.runner import Runner, Scores
from hordenode.engine.text.scheduler import CHUNK, Move, Scheduler
from hordenode.engine.tokenizer import open_tokenizer
from tests.numeric.converted import convert_golden

GOLDENS = Path(__file__).parent / "goldens"
FOLDER = GOLDENS / "text"
CASES: list[dict[str, Any]] = json.loads((GOLDENS / "text.json").read_text(encoding="utf-8"))
LOGITS = np.load(GOLDENS / "text.npz")
LENGTHS = [len(open_tokenizer(FOLDER).encode(case["prompt"]).ids) for case in CASES]
RUNTIME = Runtime(EngineSettings(threads=1, providers=("cpu",)))
CONTEXT, END = 1024, 0


@dataclass
class Recorder:
    """The runner of a batch, with a memory: the logits after so many written tokens, by job, and where reading began."""

    runner: Runner
    scheduler: Scheduler
    prompts: dict[str, int]
    rows: dict[str, dict[int, NDArray[np.float32]]] = field(default_factory=dict)
    reads: list[tuple[str, int]] = field(default_factory=list)

    def move(self, moves: Iterable[Move]) -> None:
        self.runner.move(moves)

    def decode(self, tokens: Sequence[int], lengths: Sequence[int], highest: int = 1) -> Scores:
        scores = self.runner.decode(tokens, lengths, highest)
        for entry, row in zip(self.scheduler.decoding, scores.logits, strict=True):
            self._keep(entry.id, entry.done + 1, row)
        return scores

    def prefill(self, slot: int, tokens: Sequence[int], before: int) -> NDArray[np.float32]:
        logits = self.runner.prefill(slot, tokens, before)
        assert self.scheduler.prefilling is not None
        self.reads.append((self.scheduler.prefilling.id, before))
        self._keep(self.scheduler.prefilling.id, before + len(tokens), logits[0])
        return logits

    def _keep(self, name: str, length: int, row: NDArray[np.float32]) -> None:
        self.rows.setdefault(name, {})[length - self.prompts.get(name, 0)] = row.copy()


@dataclass
class Bench:
    """A pipeline that is listened to."""

    pipeline: TextPipeline
    recorder: Recorder
    done: dict[str, TextResult] = field(default_factory=dict)

    def serve(self, jobs: Iterable[TextJob], events: Mapping[int, Callable[[], object]] | None = None) -> None:
        """Finish all jobs; `events`: what to do before which step."""
        for each in jobs:
            self.pipeline.begin(each)
        step = 0
        while self.pipeline.batch.busy:
            (events or {}).get(step, lambda: None)()
            for outcome in self.pipeline.batch.step():
                assert not isinstance(outcome, Failure), outcome
                if isinstance(outcome, TextResult):
                    self.done[outcome.id] = outcome
            step += 1

    def compare(self, at: int, name: str = "") -> None:
        """Text, tokens and logits of a job with those of its case."""
        case, name = CASES[at], name or str(at)
        rows = self.recorder.rows[name]
        assert [likeliest(rows[written]) for written in range(len(case["tokens"]))] == case["tokens"]
        for written, expected in zip(case["logits_at"], LOGITS[str(at)], strict=True):
            np.testing.assert_allclose(rows[written], expected, rtol=0, atol=1e-3)
        assert self.done[name].text == case["text"].rstrip("\ufffd")
        assert (self.done[name].prompt_tokens, self.done[name].tokens) == (LENGTHS[at], len(case["tokens"]))


def likeliest(row: NDArray[np.float32]) -> int:
    return int(np.where(np.arange(len(row)) == END, -np.inf, row).argmax())


@pytest.fixture(params=["products", "convolutions"])
def folder(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The model as it is stored, and as the converter writes it, made of convolutions when it loads."""
    if request.param == "products":
        return FOLDER
    monkeypatch.setattr(pointwise, "X86", (platform.machine().lower(),))
    monkeypatch.setattr(pointwise, "LEAST", 0)
    made = convert_golden(FOLDER, tmp_path)
    last = last_only(made / "model.onnx", "logits")
    assert last is not None and pointwise.convolved(last, "input_ids", RUNTIME.report().threads) is not None
    return made


def bench(folder: Path, max_batch: int, chunk: int = CHUNK) -> Bench:
    pipeline = TextPipeline(TextModel(path=folder, context=CONTEXT, max_batch=max_batch), RUNTIME)
    pipeline.batch.scheduler.chunk = chunk
    recorder = Recorder(
        pipeline.batch.runner, pipeline.batch.scheduler, {str(n): size for n, size in enumerate(LENGTHS)}
    )
    setattr(pipeline.batch, "runner", recorder)  # noqa: B010
    return Bench(pipeline, recorder)


def job(at: int, **settings: Any) -> TextJob:
    case = CASES[at]
    known = {"id": str(at), "temperature": 0.0, "use_default_badwordsids": True, "priority": 5}
    return TextJob(
        **{"model": "tiny", "prompt": case["prompt"], "max_length": len(case["tokens"]), "max_context_length": CONTEXT}
        | known
        | settings
    )


def test_the_prompts_are_ragged() -> None:
    assert (min(LENGTHS), max(LENGTHS), len(LENGTHS)) == (1, 900, 8)


@pytest.mark.parametrize("chunk", [CHUNK, 7])
def test_alone(folder: Path, chunk: int) -> None:
    alone = bench(folder, 1, chunk)
    for at in range(len(CASES)):
        alone.serve([job(at)])
        alone.compare(at)


@pytest.mark.parametrize(("max_batch", "chunk"), [(8, CHUNK), (8, 50), (3, CHUNK)])
def test_together(folder: Path, max_batch: int, chunk: int) -> None:
    together = bench(folder, max_batch, chunk)
    together.serve(job(at) for at in range(len(CASES)))
    for at in range(len(CASES)):
        together.compare(at)


def test_with_a_beginning_that_was_read_for_another(folder: Path) -> None:
    """The prompts of 150 tokens and more begin alike."""
    reused = bench(folder, 4)
    reused.serve([job(4)])
    reused.serve(job(at) for at in (5, 6, 7))
    assert {before for name, before in reused.recorder.reads if name == "5"} == {128, 256}
    for at in range(4, 8):
        reused.compare(at)
    again = [job(at, id=f"again {at}") for at in (7, 4)]
    reused.recorder.prompts |= {"again 7": LENGTHS[7], "again 4": LENGTHS[4]}
    reused.recorder.rows.clear()
    reused.serve(again)
    for at in (7, 4):
        reused.compare(at, f"again {at}")


def test_giving_way_to_urgent_texts_and_beside_cancelled_ones(folder: Path) -> None:
    pressed = bench(folder, 3)
    urgent = [job(at, id=f"urgent {at}", priority=0) for at in (2, 3, 6)]
    begin = {step: partial(pressed.pipeline.begin, each) for step, each in zip((14, 22, 40), urgent, strict=True)}
    cancelled = [job(at, id=f"cancelled {at}", priority=5) for at in (1, 7)]
    drop = pressed.pipeline.batch.drop
    cancel = {step: partial(drop, each.id) for step, each in zip((9, 50), cancelled, strict=True)}
    pressed.serve([*cancelled, *(job(at) for at in range(len(CASES)))], {**begin, **cancel})
    starts = [name for name, before in pressed.recorder.reads if before == 0]
    assert len(starts) > len(set(starts))  # somebody gave way
    for at in range(len(CASES)):
        pressed.compare(at)
