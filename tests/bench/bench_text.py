"""How fast texts are written: python -m tests.bench.bench_text [--pairs 7] [--threads 2]; prints JSON.

A 135M Llama of random weights in the GroupQueryAttention layout, made here. Every figure is a ratio to something that
was measured in the same run, the median of interleaved pairs.
"""

from __future__ import annotations

import argparse
import json
import shutil
import statistics
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import onnx

from hordenode.catalog import TextModel
from hordenode.config import EngineSettings
from hordenode.demo.llama_graph import LlamaShape, llama_graph
from hordenode.engine.backends import Failure
from hordenode.engine.jobs import Progress, TextJob
from hordenode.engine.runtime import Runtime
from hordenode.engine.text.pipeline import TextPipeline

SHAPE = LlamaShape(
    vocabulary=49152,
    hidden=576,
    layers=30,
    heads=9,
    key_value_heads=3,
    context=1024,
    epsilon=1e-5,
    rope_theta=10000.0,
)
INNER = 1536
TOKENIZER = Path(__file__).parents[1] / "numeric" / "goldens" / "text" / "tokenizer.json"
SLOTS = 8


def make_model(folder: Path) -> int:
    """Write the model; returns the bytes that a token reads at float32."""
    random = np.random.default_rng(0)
    hidden, narrow = SHAPE.hidden, SHAPE.key_value_heads * SHAPE.head_size
    sizes: dict[str, tuple[int, ...]] = {
        "model.embed_tokens.weight": (SHAPE.vocabulary, hidden),
        "model.norm.weight": (hidden,),
    }
    for layer in range(SHAPE.layers):
        at = f"model.layers.{layer}."
        sizes |= {f"{at}self_attn.{part}_proj.weight": (hidden, hidden) for part in "qo"}
        sizes |= {f"{at}self_attn.{part}_proj.weight": (narrow, hidden) for part in "kv"}
        sizes |= {f"{at}mlp.{part}_proj.weight": (INNER, hidden) for part in ("gate", "up")}
        sizes |= {f"{at}mlp.down_proj.weight": (hidden, INNER)}
        sizes |= {f"{at}{part}_layernorm.weight": (hidden,) for part in ("input", "post_attention")}
    weights = {
        name: random.normal(0, 0.04, size).astype(np.float32) if len(size) > 1 else np.ones(size, np.float32)
        for name, size in sizes.items()
    }
    onnx.save(llama_graph(SHAPE, weights), str(folder / "model.onnx"))
    decoder = {
        "head_size": SHAPE.head_size,
        "num_hidden_layers": SHAPE.layers,
        "num_key_value_heads": SHAPE.key_value_heads,
    }
    model = {"context_length": SHAPE.context, "bos_token_id": 0, "decoder": decoder}
    config = {"model": model, "search": {"past_present_share_buffer": True}}
    (folder / "genai_config.json").write_text(json.dumps(config), encoding="utf-8")
    shutil.copy(TOKENIZER, folder / "tokenizer.json")
    return 4 * sum(weight.size for weight in weights.values())


def bandwidth(threads: int) -> float:
    """Bytes per second that this many threads read."""
    block = np.ones(2**26, np.float32)

    def read() -> None:
        for _ in range(4):
            np.dot(block, block)

    workers = [threading.Thread(target=read) for _ in range(threads)]
    started = time.perf_counter()
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    return threads * 4 * block.nbytes / (time.perf_counter() - started)


def job(number: int, words: int, tokens: int, **settings: Any) -> TextJob:
    prompt = " ".join(("fox", "dog", "the", "lazy", "quick")[(at * number + at) % 5] for at in range(words))
    return TextJob(str(number), "bench", f"{number} {prompt}", tokens, SHAPE.context, seed=number, **settings)


def drain(pipeline: TextPipeline, jobs: list[TextJob]) -> float:
    """Seconds that all take together."""
    forget(pipeline)
    started = time.perf_counter()
    for each in jobs:
        pipeline.begin(each)
    while pipeline.batch.busy:
        step(pipeline)
    return time.perf_counter() - started


def forget(pipeline: TextPipeline) -> None:
    """No prefix is reused from one measurement to the next."""
    for held in pipeline.batch.scheduler.held:
        held.clear()


def step(pipeline: TextPipeline) -> list[str]:
    """One step; ids of the texts that grew."""
    outcomes = pipeline.batch.step()
    assert not any(isinstance(outcome, Failure) for outcome in outcomes), outcomes
    return [outcome.id for outcome in outcomes if isinstance(outcome, Progress) and outcome.step > 0]


def decode_speed(pipeline: TextPipeline, count: int, steps: int = 12) -> float:
    """Tokens per second once `count` short texts decode."""
    forget(pipeline)
    for number in range(count):
        pipeline.begin(job(number, 20, 200))
    while len(pipeline.batch.scheduler.decoding) < count:
        step(pipeline)
    started = time.perf_counter()
    written = sum(len(step(pipeline)) for _ in range(steps))
    spent = time.perf_counter() - started
    for number in range(count):
        pipeline.batch.drop(str(number))
    return written / spent


def overhead(pipeline: TextPipeline, steps: int = 12) -> float:
    """The share of a step of 8 texts that is not spent in the graph."""
    forget(pipeline)
    inside = 0.0
    run = pipeline.batch.runner.decode

    def timed(*arguments: Any) -> Any:
        nonlocal inside
        started = time.perf_counter()
        made = run(*arguments)
        inside += time.perf_counter() - started
        return made

    for number in range(SLOTS):
        pipeline.begin(job(number, 20, 200, top_p=0.9, top_k=40, rep_pen=1.1))
    while len(pipeline.batch.scheduler.decoding) < SLOTS:
        step(pipeline)
    setattr(pipeline.batch.runner, "decode", timed)  # noqa: B010
    started = time.perf_counter()
    for _ in range(steps):
        step(pipeline)
    spent = time.perf_counter() - started
    setattr(pipeline.batch.runner, "decode", run)  # noqa: B010
    for number in range(SLOTS):
        pipeline.batch.drop(str(number))
    return 1 - inside / spent


def first_token(pipeline: TextPipeline, words: int = 200) -> float:
    """Time to the first token beside 7 that decode, over 1.5 × its own prefill + 2 steps: at most 1 is wanted."""
    forget(pipeline)
    own = drain(pipeline, [job(50, words, 1)])
    forget(pipeline)
    for number in range(SLOTS - 1):
        pipeline.begin(job(number, 20, 400))
    while len(pipeline.batch.scheduler.decoding) < SLOTS - 1:
        step(pipeline)
    started = time.perf_counter()
    for _ in range(4):
        step(pipeline)
    one_step = (time.perf_counter() - started) / 4
    pipeline.begin(job(51, words, 100))
    started = time.perf_counter()
    while "51" not in step(pipeline):
        pass
    waited = time.perf_counter() - started
    for number in (*range(SLOTS - 1), 51):
        pipeline.batch.drop(str(number))
    return waited / (1.5 * own + 2 * one_step)


def together(pipeline: TextPipeline) -> float:
    """How many times faster 8 ragged requests are side by side than one after the other."""
    sizes = ((10, 60), (150, 40), (40, 64), (90, 32), (5, 50), (200, 48), (25, 64), (60, 40))
    jobs = [job(60 + at, words, tokens) for at, (words, tokens) in enumerate(sizes)]
    return sum(drain(pipeline, [each]) for each in jobs) / drain(pipeline, jobs)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--pairs", type=int, default=7)
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    found: dict[str, list[float]] = {}
    with tempfile.TemporaryDirectory() as name:
        size = make_model(Path(name))
        model = TextModel(path=Path(name), context=SHAPE.context, max_batch=SLOTS)
        pipeline = TextPipeline(model, Runtime(EngineSettings(threads=options.threads, providers=("cpu",))))
    decode_speed(pipeline, SLOTS)

    def note(what: str, value: float) -> float:
        found.setdefault(what, []).append(value)
        return value

    for pair in range(options.pairs):
        limit = note("tokens/s that the memory allows", bandwidth(options.threads) / size)
        one = note("tokens/s of 1", decode_speed(pipeline, 1))
        many = note("tokens/s of 8", decode_speed(pipeline, SLOTS))
        note("1 / limit", one / limit)
        note("8 / 1", many / one)
        note("overhead of a step", overhead(pipeline))
        note("first token / (1.5 prefill + 2 steps)", first_token(pipeline))
        if pair < 3:
            note("8 ragged: apart / together", together(pipeline))
    print(json.dumps({name: [round(statistics.median(v), 3), len(v)] for name, v in found.items()}, indent=1))


if __name__ == "__main__":
    main()
