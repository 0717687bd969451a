"""KoboldCpp, and KoboldAI, as engines."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from hordenode.catalog import Catalog
from hordenode.config import EngineSettings
from hordenode.engine.engine import Engine
from hordenode.engine.jobs import EngineError, JobCancelled, Progress, TextJob, TextResult, UnsupportedJob
from tests.support.aio import run
from tests.support.dialects import WORDS, FakeKobold, served

JOB = TextJob("one", "koboldcpp/tiny", "Once", max_length=20, max_context_length=1024, seed=7, temperature=0.8)


def written(program: FakeKobold, job: TextJob) -> tuple[TextResult, list[Progress]]:
    """What comes of a job, and what was told meanwhile."""
    told: list[Progress] = []

    async def story(url: str) -> TextResult:
        engine = await asyncio.to_thread(Engine, Catalog(), EngineSettings(backend="kobold", url=f"{url}/api"))
        await engine.start()
        try:
            result = await engine.generate(job, told.append)
            assert isinstance(result, TextResult)
            return result
        finally:
            await engine.close()

    with served(program.app) as url:
        return run(story(url)), told


def test_a_text_is_streamed_without_the_stop_sequence() -> None:
    program = FakeKobold()
    result, told = written(program, replace(JOB, stop_sequences=("\n###",)))
    assert (result.text, result.finish_reason, result.seed) == ("".join(WORDS), "stop", 7)
    assert [each.text for each in told[:-1]] == WORDS
    body = program.bodies[0]
    assert body.pop("genkey").startswith("HDN")
    assert body == {
        "prompt": "Once",
        "max_length": 20,
        "max_context_length": 1024,
        "temperature": 0.8,
        "sampler_seed": 7,
        "stop_sequence": ["\n###"],
        "trim_stop": True,
        "quiet": True,
    }


ALL = {
    "temperature": 0.5,
    "top_k": 40,
    "top_p": 0.9,
    "top_a": 0.1,
    "min_p": 0.05,
    "tfs": 0.95,
    "typical": 0.9,
    "rep_pen": 1.1,
    "rep_pen_range": 300,
    "rep_pen_slope": 0.7,
    "presence_penalty": 0.2,
    "smoothing_factor": 0.3,
    "dynatemp_range": 0.5,
    "dynatemp_exponent": 1.5,
    "sampler_order": (6, 5, 0, 1, 2, 3, 4),
    "use_default_badwordsids": True,
    "xtc_probability": 0.4,
    "xtc_threshold": 0.2,
}


def test_each_setting_of_a_horde_has_its_word() -> None:
    program = FakeKobold()
    written(program, replace(JOB, **ALL))  # type: ignore[arg-type]
    said = {name: list(value) if isinstance(value, tuple) else value for name, value in ALL.items()}
    assert program.bodies[0].items() >= said.items()


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"mirostat_tau": 5.0, "mirostat_eta": 0.2}, {"mirostat": 2, "mirostat_tau": 5.0, "mirostat_eta": 0.2}),
        ({"dry_multiplier": 0.8, "dry_range": 9}, {"dry_multiplier": 0.8, "dry_penalty_last_n": 9}),
        ({"logit_bias": ((5, 1.0),)}, {"logit_bias": {"5": 1.0}}),
        ({"singleline": True}, {"stop_sequence": ["\n"]}),
    ],
)
def test_so_have_those_beyond(settings: dict[str, Any], said: dict[str, Any]) -> None:
    program = FakeKobold()
    written(program, replace(JOB, **settings))
    assert program.bodies[0].items() >= said.items()


def test_what_it_has_no_word_for_fails_the_job() -> None:
    with pytest.raises(UnsupportedJob, match="KoboldCpp has no frequency_penalty"):
        written(FakeKobold(), replace(JOB, frequency_penalty=0.5))


def test_flags_are_done_here() -> None:
    assert written(FakeKobold(), replace(JOB, frmtrmspch=True, frmttriminc=True))[0].text == "".join(WORDS)


def test_an_old_one_answers_at_once() -> None:
    program = FakeKobold(old=True)
    result, told = written(program, JOB)
    assert (result.text, result.tokens) == ("".join(WORDS), 5)
    assert [each.text for each in told] == ["".join(WORDS)]


@pytest.mark.parametrize(("old", "context"), [(False, 8192), (True, 1024)])
def test_its_model_is_offered_with_its_context(old: bool, context: int) -> None:
    with served(FakeKobold(old=old).app) as url:
        engine = Engine(Catalog(), EngineSettings(backend="kobold", url=url))
        run(engine.close())
    (model,) = engine.models()
    assert (model.kind, model.name, model.context, model.max_batch) == ("text", "koboldcpp/tiny", context, 1)


def test_without_a_model_it_cannot_be_used() -> None:
    with served(FakeKobold(model="inactive").app) as url, pytest.raises(EngineError, match="no text model loaded"):
        Engine(Catalog(), EngineSettings(backend="kobold", url=url))


def test_another_program_at_the_address_is_noticed() -> None:
    with served(FakeKobold().app) as url, pytest.raises(EngineError, match="refused with status 404"):
        Engine(Catalog(), EngineSettings(backend="openai", url=url))


def test_cancelling_aborts() -> None:
    program = FakeKobold()
    program.gate.clear()

    async def story(url: str) -> None:
        engine = await asyncio.to_thread(Engine, Catalog(), EngineSettings(backend="kobold", url=url))
        await engine.start()
        writing = asyncio.create_task(engine.generate(JOB))
        await asyncio.to_thread(program.begun.wait)
        engine.cancel(JOB.id)
        with pytest.raises(JobCancelled):
            await writing
        assert await asyncio.to_thread(program.gone.wait, 10)
        await engine.close()

    with served(program.app) as url:
        run(story(url))
    assert program.aborted == [program.bodies[0]["genkey"]]
