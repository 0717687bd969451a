"""The text pipeline against transformers with the same weights."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from hordenode.catalog import TextModel
from hordenode.config import EngineSettings
from hordenode.engine.jobs import Progress, TextJob, UnsupportedJob
from hordenode.engine.runtime import Runtime
from hordenode.engine.text.pipeline import TextPipeline

GOLDENS = Path(__file__).parent / "goldens"
FOLDER = GOLDENS / "text"
CASES: list[dict[str, Any]] = json.loads((GOLDENS / "text.json").read_text(encoding="utf-8"))
RUNTIME = Runtime(EngineSettings(threads=1, providers=("cpu",)))
JOB = TextJob("job", "tiny", "the quick brown fox", max_length=40, max_context_length=512, seed=5, temperature=1.0)


@pytest.fixture(scope="module")
def tiny() -> TextPipeline:
    return TextPipeline(TextModel(path=FOLDER, context=512), RUNTIME)


def ignore(progress: Progress) -> None:
    """For jobs whose steps do not matter."""


def test_same_seed_same_text(tiny: TextPipeline) -> None:
    texts = {seed: tiny.write(replace(JOB, seed=seed), ignore) for seed in (5, 6)}
    assert tiny.write(JOB, ignore) == texts[5]
    assert texts[5].text != texts[6].text


@pytest.mark.parametrize(
    "change", [{"temperature": 0.3}, {"top_k": 2}, {"top_p": 0.3}, {"min_p": 0.5}, {"rep_pen": 2.0}]
)
def test_every_setting_counts(tiny: TextPipeline, change: dict[str, Any]) -> None:
    assert tiny.write(replace(JOB, **change), ignore).text != tiny.write(JOB, ignore).text


def test_the_streamed_pieces_are_the_text(tiny: TextPipeline) -> None:
    seen: list[Progress] = []
    made = tiny.write(JOB, seen.append)
    assert "".join(progress.text for progress in seen) == made.text
    assert [progress.step for progress in seen] == list(range(41))
    assert {progress.steps for progress in seen} == {40}


def test_the_text_ends_before_a_stop_sequence(tiny: TextPipeline) -> None:
    whole = tiny.write(JOB, ignore).text
    stop = whole[10:13]
    seen: list[Progress] = []
    made = tiny.write(replace(JOB, stop_sequences=("not in there", stop)), seen.append)
    assert made.text == whole[: whole.index(stop)]
    assert made.finish_reason == "stop"
    assert made.tokens < 40
    assert "".join(progress.text for progress in seen) == made.text


def test_a_prompt_that_is_too_long_loses_its_beginning(tiny: TextPipeline) -> None:
    """What was cut off makes no difference; what is left does."""
    job = replace(JOB, max_context_length=80, prompt="dog " * 300 + "the quick brown fox")
    made = tiny.write(job, ignore)
    assert made.prompt_tokens == 40
    assert made == tiny.write(replace(job, prompt="dog " * 200 + "the quick brown fox"), ignore)
    assert made.text != tiny.write(replace(job, prompt="dog " * 300 + "the quick brown dog"), ignore).text


def test_an_empty_prompt_starts_a_text(tiny: TextPipeline) -> None:
    assert tiny.write(replace(JOB, prompt=""), ignore).tokens == 40


@pytest.mark.parametrize("change", [{"max_length": 0}, {"max_context_length": 1}, {"temperature": -1.0}])
def test_what_cannot_be_done_is_refused(tiny: TextPipeline, change: dict[str, Any]) -> None:
    with pytest.raises(UnsupportedJob, match=next(iter(change)).removeprefix("max_").split("_")[0]):
        tiny.write(replace(JOB, **change), ignore)
