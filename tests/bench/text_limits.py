"""What texts are timed against, and how: steps of all that is compared take turns, so that what disturbs meets all alike."""

from __future__ import annotations

import statistics
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from hordenode.engine.backends import Failure
from hordenode.engine.jobs import Progress, TextJob
from hordenode.engine.text.pipeline import TextPipeline
from tests.bench.text_model import CONTEXT

WORDS = ("fox", "dog", "the", "lazy", "quick")
LONGEST = 400  # texts are begun anew after so many tokens


def job(number: int, words: int, tokens: int, **settings: Any) -> TextJob:
    prompt = " ".join(WORDS[(at * number + at) % len(WORDS)] for at in range(words))
    return TextJob(str(number), "bench", f"{number} {prompt}", tokens, CONTEXT, seed=number, **settings)


def step(pipeline: TextPipeline) -> list[str]:
    """One step; ids of the texts that grew."""
    outcomes = pipeline.batch.step()
    assert not any(isinstance(outcome, Failure) for outcome in outcomes), outcomes
    return [outcome.id for outcome in outcomes if isinstance(outcome, Progress) and outcome.step > 0]


def forget(pipeline: TextPipeline) -> None:
    """No prefix is reused from one measurement to the next."""
    for held in pipeline.batch.scheduler.held:
        held.clear()


@dataclass
class Decoding:
    """So many texts that decode side by side, again and again. `inside`: the seconds of a step that the graph took."""

    pipeline: TextPipeline
    count: int
    settings: Mapping[str, Any] = field(default_factory=dict)
    inside: float = 0.0
    _left: int = 0

    def step(self) -> float:
        """Seconds of one step."""
        if self._left == 0:
            self._begin()
        self._left -= 1
        batch = self.pipeline.batch
        run, self.inside = batch.runner.decode, 0.0
        setattr(batch.runner, "decode", self._timed(run))  # noqa: B010
        try:
            started = time.perf_counter()
            assert len(step(self.pipeline)) == self.count
            return time.perf_counter() - started
        finally:
            setattr(batch.runner, "decode", run)  # noqa: B010

    def stop(self) -> None:
        """Leave the pipeline empty."""
        for number in range(self.count):
            self.pipeline.batch.drop(str(number))
        self._left = 0

    def _begin(self) -> None:
        self.stop()
        forget(self.pipeline)
        for number in range(self.count):
            self.pipeline.begin(job(number, 20, LONGEST + 50, **self.settings))
        while len(self.pipeline.batch.scheduler.decoding) < self.count:
            step(self.pipeline)
        step(self.pipeline)
        self._left = LONGEST - 40

    def _timed(self, run: Callable[..., Any]) -> Callable[..., Any]:
        def timed(*arguments: Any) -> Any:
            started = time.perf_counter()
            made = run(*arguments)
            self.inside += time.perf_counter() - started
            return made

        return timed


class Memory:
    """Reads as many bytes as a model's weights, with as many threads: no step of one text can be faster."""

    def __init__(self, size: int, threads: int) -> None:
        self._blocks = [np.ones(size // 4 // threads, np.float32) for _ in range(threads)]

    def step(self) -> float:
        """Seconds of one pass."""
        workers = [threading.Thread(target=block.max) for block in self._blocks]
        started = time.perf_counter()
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
        return time.perf_counter() - started


@dataclass
class Notes:
    """Figures of a run by name; the median of each is what counts."""

    found: dict[str, list[float]] = field(default_factory=dict)

    def note(self, what: str, value: float) -> float:
        self.found.setdefault(what, []).append(value)
        return value

    def medians(self) -> dict[str, list[float]]:
        """[median, lower quartile, upper quartile, count] of each."""
        return {name: [*_quartiles(values), len(values)] for name, values in self.found.items()}


def _quartiles(values: list[float]) -> list[float]:
    low, middle, high = statistics.quantiles(values, n=4) if len(values) > 1 else values * 3
    return [round(middle, 3), round(low, 3), round(high, 3)]
