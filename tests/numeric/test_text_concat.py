"""The layout of optimum: a real export of its, against the same weights in the layout with shared buffers."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from hordenode.catalog import TextModel
from hordenode.config import EngineSettings
from hordenode.engine.backends import Failure, Outcome
from hordenode.engine.jobs import ModelFileError, Progress, TextJob, TextResult
from hordenode.engine.runtime import Runtime
from hordenode.engine.text.concat import ConcatRunner
from hordenode.engine.text.layout import cache_mb, read_config
from hordenode.engine.text.pipeline import TextPipeline
from hordenode.engine.text.runner import TextRunner
from hordenode.library.convert.text import convert_text

EXPORT = Path(__file__).parents[1] / "library" / "goldens" / "optimum"
RUNTIME = Runtime(EngineSettings(threads=1, providers=("cpu",)))
CONTEXT = 256
RAGGED = (1, 60, 3, 130, 17, 40)


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The export converted."""
    folder = tmp_path_factory.mktemp("models") / "shared"
    convert_text(EXPORT, folder, "fp32", lambda line: None)
    return folder


def pipeline(folder: Path, max_batch: int, chunk: int = 32) -> TextPipeline:
    made = TextPipeline(TextModel(path=folder, context=CONTEXT, max_batch=max_batch), RUNTIME)
    made.batch.scheduler.chunk = chunk
    return made


def job(number: int, words: int) -> TextJob:
    prompt = "".join(chr(97 + (number * 7 + at * (number + 3)) % 26) for at in range(words))
    return TextJob(f"job {number}", "export", prompt, 30, CONTEXT, seed=number, temperature=0.0, priority=5)


def serve(writer: TextPipeline, jobs: list[TextJob], late: dict[int, TextJob] | None = None) -> dict[str, Outcome]:
    """All results; `late`: jobs that come before so many steps."""
    for each in jobs:
        writer.begin(each)
    done: dict[str, Outcome] = {}
    step = 0
    while writer.batch.busy:
        if late and step in late:
            writer.begin(late[step])
        done |= {each.id: each for each in writer.batch.step() if not isinstance(each, Progress)}
        step += 1
    return done


def test_logits_are_those_of_the_other_layout(shared: Path) -> None:
    """Alone in chunks, and side by side with padding on the left."""
    tokens = [list(np.random.default_rng(size).integers(1, 90, size)) for size in RAGGED[:4]]
    runners = [
        kind(RUNTIME.open(folder / "model.onnx"), read_config(folder), 4, CONTEXT)
        for kind, folder in ((TextRunner, shared), (ConcatRunner, EXPORT))
    ]
    made: list[list[np.ndarray[tuple[int, ...], np.dtype[np.float32]]]] = []
    for runner in runners:
        rows = []
        for slot, ids in enumerate(tokens):
            for at in range(0, len(ids), 48):
                rows.append(runner.prefill(slot, ids[at : at + 48], at)[0].copy())
        lengths = [len(ids) for ids in tokens]
        for token in (5, 9, 44):
            rows.extend(runner.decode([token, 3, 7, 1], lengths).logits.copy())
            lengths = [length + 1 for length in lengths]
        made.append(rows)
    np.testing.assert_allclose(made[0], made[1], rtol=0, atol=1e-3)


@pytest.mark.parametrize("max_batch", [1, 3, 8])
def test_texts_are_those_of_the_other_layout(shared: Path, max_batch: int) -> None:
    jobs = [job(number, words) for number, words in enumerate(RAGGED)]
    expected = serve(pipeline(shared, 1), jobs)
    assert all(isinstance(outcome, TextResult) for outcome in expected.values())
    assert serve(pipeline(EXPORT, max_batch), jobs) == expected


def test_urgent_texts_and_common_beginnings(shared: Path) -> None:
    jobs = [job(number, words) for number, words in enumerate(RAGGED)]
    urgent = replace(job(3, 130), id="urgent", priority=0)
    alike = replace(job(3, 130), id="alike", prompt=job(3, 130).prompt[:100] + "xyz")
    late = {8: urgent, 11: alike}
    expected = serve(pipeline(shared, 1), [*jobs, urgent, alike])
    assert serve(pipeline(EXPORT, 2), jobs, late) == expected


def test_a_slot_that_is_used_again_holds_nothing_old() -> None:
    """Of a text of the same length, one step before."""
    writer = pipeline(EXPORT, 1)
    first, second = job(1, 40), replace(job(2, 39), id="second")
    alone = serve(pipeline(EXPORT, 1), [second])
    writer.begin(replace(first, max_length=2))
    while writer.batch.busy:
        writer.batch.step()
    assert serve(writer, [second]) == alone


def test_a_graph_that_does_not_take_positions_is_refused(tmp_path: Path, shared: Path) -> None:
    for name in ("config.json", "tokenizer.json"):
        (tmp_path / name).write_bytes((EXPORT / name).read_bytes())
    for name in ("model.onnx", "model.onnx.data"):
        (tmp_path / name).write_bytes((shared / name).read_bytes())
    with pytest.raises(ModelFileError, match="position_ids"):
        pipeline(tmp_path, 1)


def test_what_keys_and_values_take() -> None:
    """2 layers x 2 heads x 16 x 2 x 4 bytes = 512 bytes a token."""
    assert cache_mb(EXPORT, 1, 256) == 1
    assert cache_mb(EXPORT, 64, 1000) == 8
    assert not [each for each in serve(pipeline(EXPORT, 1), [job(1, 5)]).values() if isinstance(each, Failure)]
