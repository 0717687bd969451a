"""How fast texts are written: python -m tests.bench.bench_text [--precision fp32] [--pairs 30] [--threads 2] [--spin-us 500].

A 135M Llama of random weights. Every figure is a ratio to something that was measured in the same run: the median (and
quartiles) of pairs of single steps that take turns, each after one that is not counted: what went before has emptied the
processor's caches of its code. The text that is alone takes the likeliest tokens, as the peers of text_peers do. Bars at
fp32: 1 / limit >= 0.85, 8 / 1 >= 4.5 (int4: 2.5), overhead <= 0.03, first token <= 1, 8 ragged >= 3.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from hordenode.catalog import TextModel
from hordenode.config import EngineSettings
from hordenode.engine.runtime import Runtime
from hordenode.engine.text.pipeline import TextPipeline
from tests.bench.text_limits import Decoding, Memory, Notes, forget, job, step
from tests.bench.text_model import CONTEXT, make_model

SLOTS = 8
GREEDY = {"temperature": 0.0}
SAMPLED = {"top_p": 0.9, "top_k": 40, "rep_pen": 1.1}
LONG = 7  # pairs of what takes seconds


def drain(pipeline: TextPipeline, numbers: list[tuple[int, int, int]]) -> float:
    """Seconds that all take together; number, words and tokens of each."""
    forget(pipeline)
    started = time.perf_counter()
    for each in numbers:
        pipeline.begin(job(*each))
    while pipeline.batch.busy:
        step(pipeline)
    return time.perf_counter() - started


def first_token(pipeline: TextPipeline, words: int = 200) -> float:
    """Time to the first token beside 7 that decode, over 1.5 × its own prefill + 2 steps."""
    own = drain(pipeline, [(50, words, 1)])
    forget(pipeline)
    others = Decoding(pipeline, SLOTS - 1)
    one_step = sum(others.step() for _ in range(4)) / 4
    pipeline.begin(job(51, words, 100))
    started = time.perf_counter()
    while "51" not in step(pipeline):
        pass
    waited = time.perf_counter() - started
    others.stop()
    pipeline.batch.drop("51")
    return waited / (1.5 * own + 2 * one_step)


def together(pipeline: TextPipeline) -> float:
    """How many times faster 8 ragged requests are side by side than one after the other."""
    sizes = ((10, 60), (150, 40), (40, 64), (90, 32), (5, 50), (200, 48), (25, 64), (60, 40))
    jobs = [(60 + at, words, tokens) for at, (words, tokens) in enumerate(sizes)]
    return sum(drain(pipeline, [each]) for each in jobs) / drain(pipeline, jobs)


def second(step: Callable[[], float]) -> float:
    """Seconds of the second of two steps."""
    step()
    return step()


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--precision", default="fp32")
    parser.add_argument("--pairs", type=int, default=30)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--spin-us", type=int, default=EngineSettings().spin_us)
    options = parser.parse_args()
    notes = Notes()
    with tempfile.TemporaryDirectory() as name:
        size = make_model(Path(name), options.precision)
        runtime = Runtime(EngineSettings(threads=options.threads, providers=("cpu",), spin_us=options.spin_us))
        model = TextModel(path=Path(name), context=CONTEXT, max_batch=SLOTS)
        alone, beside = TextPipeline(model, runtime), TextPipeline(model, runtime)
    memory, one, many = Memory(size, options.threads), Decoding(alone, 1, GREEDY), Decoding(beside, SLOTS, SAMPLED)
    for timed in (memory, one, many):
        timed.step()
    for _ in range(options.pairs):
        limit, single, eight = (second(timed.step) for timed in (memory, one, many))
        notes.note("tokens/s of 1", 1 / single)
        notes.note("tokens/s of 8", SLOTS / eight)
        if options.precision == "fp32":
            notes.note("tokens/s that the memory allows", 1 / limit)
            notes.note("1 / limit", limit / single)
        notes.note("8 / 1", SLOTS * single / eight)
        notes.note("overhead of a step", 1 - many.inside / eight)
    many.stop()
    for _ in range(min(options.pairs, LONG)):
        notes.note("first token / (1.5 prefill + 2 steps)", first_token(beside))
        notes.note("8 ragged: apart / together", together(beside))
    print(json.dumps(notes.medians(), indent=1))


if __name__ == "__main__":
    main()
