"""Texts written side by side are those written alone, whatever happens around them."""

from __future__ import annotations

from dataclasses import replace
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hordenode.catalog import TextModel
from hordenode.config import EngineSettings
from hordenode.engine.backends import Failure, Outcome
from hordenode.engine.jobs import Progress, TextJob, TextResult
from hordenode.engine.runtime import Runtime
from hordenode.engine.text.pipeline import TextPipeline
from hordenode.engine.text.runner import TextRunner

GOLDENS = Path(__file__).parent / "goldens"
RUNTIME = Runtime(EngineSettings(threads=1, providers=("cpu",)))
WORDS = "the quick brown fox jumps over the lazy dog and then again ".split()


def open_tiny(max_batch: int = 4, chunk: int = 32) -> TextPipeline:
    pipeline = TextPipeline(TextModel(path=GOLDENS / "text", context=512, max_batch=max_batch), RUNTIME)
    pipeline.batch.scheduler.chunk = chunk
    return pipeline


def job(number: int, words: int, **settings: Any) -> TextJob:
    """A job with a prompt of its own."""
    prompt = " ".join(WORDS[(number * 5 + at * (number + 1)) % len(WORDS)] for at in range(words))
    known: dict[str, Any] = {"max_length": 24, "max_context_length": 512, "seed": number, "temperature": 1.0}
    return TextJob(f"job {number}", "tiny", prompt, **(known | settings))


def serve(pipeline: TextPipeline, jobs: list[TextJob], events: dict[int, Any] | None = None) -> dict[str, Outcome]:
    """All results; `events`: what to call before which step."""
    for each in jobs:
        pipeline.begin(each)
    done: dict[str, Outcome] = {}
    step = 0
    while pipeline.batch.busy:
        if events and step in events:
            events[step]()
        done |= {outcome.id: outcome for outcome in pipeline.batch.step() if not isinstance(outcome, Progress)}
        step += 1
    return done


def alone(each: TextJob) -> TextResult:
    made = serve(open_tiny(1), [each])[each.id]
    assert isinstance(made, TextResult)
    return made


RAGGED = [1, 90, 3, 40, 200, 7, 15, 64]


@pytest.mark.parametrize("max_batch", [2, 3, 8])
def test_a_seed_gives_the_same_text_whatever_else_is_in_the_batch(max_batch: int) -> None:
    jobs = [job(number, words) for number, words in enumerate(RAGGED)]
    expected = {each.id: alone(each) for each in jobs}
    assert serve(open_tiny(max_batch), jobs) == expected
    assert serve(open_tiny(max_batch), jobs[::-1]) == expected


POOL = [job(number, words) for number, words in enumerate(RAGGED)]
arrivals = st.lists(
    st.tuples(st.integers(0, 12), st.integers(0, 7), st.integers(0, 2), st.one_of(st.none(), st.integers(1, 20))),
    min_size=1,
    max_size=8,
    unique_by=lambda each: each[1],
)


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 5), arrivals)
def test_company_makes_no_difference(max_batch: int, company: list[tuple[int, int, int, int | None]]) -> None:
    """Steps until it comes, which text, its priority, and after how many steps it is cancelled if at all."""
    pipeline = open_tiny(max_batch)
    events: dict[int, list[Any]] = {}
    for pause, number, priority, until in company:
        events.setdefault(pause, []).append(partial(pipeline.begin, replace(POOL[number], priority=priority)))
        if until is not None:
            events.setdefault(pause + until, []).append(partial(pipeline.batch.drop, POOL[number].id))
    done: dict[str, Outcome] = {}
    for step in range(2000):
        for event in events.pop(step, ()):
            event()
        done |= {outcome.id: outcome for outcome in pipeline.batch.step() if not isinstance(outcome, Progress)}
        if not events and not pipeline.batch.busy:
            break
    assert done == {name: remembered(int(name.split()[1])) for name in done}
    assert {POOL[number].id for _, number, _, until in company if until is None} <= done.keys()


@cache
def remembered(number: int) -> TextResult:
    return alone(POOL[number])


def test_a_text_that_gives_way_is_taken_up_where_it_stopped() -> None:
    pipeline = open_tiny(2)
    jobs = [job(number, words, priority=5) for number, words in enumerate(RAGGED[:4])]
    urgent = [job(10 + number, 20, priority=0) for number in range(3)]
    expected = {each.id: alone(each) for each in [*jobs, *urgent]}
    assert (
        serve(
            pipeline,
            jobs,
            {at: lambda each=each: pipeline.begin(each) for at, each in zip((6, 9, 20), urgent, strict=True)},
        )
        == expected
    )


def test_a_cancelled_text_leaves_the_others_as_they_are() -> None:
    pipeline = open_tiny(4)
    jobs = [job(number, words) for number, words in enumerate(RAGGED)]
    expected = {each.id: alone(each) for each in jobs if each.id not in ("job 0", "job 4", "job 7")}
    cancels = {3: "job 7", 8: "job 0", 12: "job 4"}
    done = serve(pipeline, jobs, {at: lambda name=name: pipeline.batch.drop(name) for at, name in cancels.items()})
    assert done == expected


def test_a_common_beginning_is_read_once() -> None:
    pipeline = open_tiny(2)
    first = job(1, 100)
    second = replace(first, id="second", prompt=first.prompt + " and the fox")
    chunks: list[Progress] = []
    pipeline.write(first, chunks.append)
    read = sum(progress.step == 0 for progress in chunks)
    chunks.clear()
    made = pipeline.write(second, chunks.append)
    assert sum(progress.step == 0 for progress in chunks) == 1 < read
    assert made == replace(alone(second), id="second")


def test_numbers_that_are_none_end_one_text_and_not_its_neighbours() -> None:
    pipeline = open_tiny(4)
    jobs = [job(number, 10) for number in range(3)]
    expected = {each.id: alone(each) for each in jobs if each.id != "job 1"}

    def damage() -> None:
        slot = [entry.id for entry in pipeline.batch.scheduler.decoding].index("job 1")
        runner = pipeline.batch.runner
        assert isinstance(runner, TextRunner)
        for _, _, buffer in runner._arena._buffers:
            buffer.edit(lambda content: content[slot].fill(np.nan))

    done = serve(pipeline, jobs, {8: damage})
    failed = done.pop("job 1")
    assert isinstance(failed, Failure)
    assert "not a number" in str(failed.error)
    assert done == expected


def test_a_run_that_fails_ends_its_texts_and_the_next_ones_are_served() -> None:
    pipeline = open_tiny(2)
    jobs = [job(number, 10) for number in range(2)]

    def damage() -> None:
        pipeline.batch.scheduler.decoding[0].tokens[-1] = 10**6  # no such row in the embedding

    done = serve(pipeline, jobs, {6: damage})
    assert all(isinstance(outcome, Failure) for outcome in done.values())
    after = job(5, 30)
    assert serve(pipeline, [after]) == {after.id: alone(after)}
