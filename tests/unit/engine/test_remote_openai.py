"""OpenAI-compatible servers as engines."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from hordenode.catalog import Catalog
from hordenode.config import ConfigError, EngineSettings
from hordenode.engine.engine import Engine
from hordenode.engine.jobs import (
    Constraint,
    EngineError,
    ImageJob,
    JobCancelled,
    Message,
    Progress,
    TextJob,
    TextResult,
    UnknownModel,
    UnsupportedJob,
)
from tests.support.aio import run
from tests.support.dialects import WORDS, FakeOpenAI, served

JOB = TextJob("one", "org/model", "Once", max_length=20, seed=2**32 - 1, temperature=0.8, top_p=0.9)
KEY = "sk-a-secret-key"


@asynccontextmanager
async def engine_on(url: str, **options: Any) -> AsyncIterator[Engine]:
    settings = EngineSettings(**({"backend": "openai", "url": url} | options))
    engine = await asyncio.to_thread(Engine, Catalog(), settings)
    await engine.start()
    try:
        yield engine
    finally:
        await engine.close()


def written(program: FakeOpenAI, job: TextJob, **options: Any) -> tuple[TextResult, list[Progress]]:
    """What comes of a job, and what was told meanwhile."""
    told: list[Progress] = []

    async def story(url: str) -> TextResult:
        async with engine_on(url, **options) as engine:
            result = await engine.generate(job, told.append)
            assert isinstance(result, TextResult)
            return result

    with served(program.app) as url:
        return run(story(url)), told


def test_a_text_is_streamed() -> None:
    program = FakeOpenAI()
    result, told = written(program, replace(JOB, stop_sequences=("END",), presence_penalty=0.5))
    assert result == TextResult("one", "".join(WORDS), 7, 5, "stop", 2**32 - 1)
    assert [each.text for each in told] == WORDS
    assert [(each.step, each.steps) for each in told] == [(n, 20) for n in range(1, 6)]
    assert program.bodies == [
        {
            "model": "org/model",
            "prompt": "Once",
            "max_tokens": 20,
            "temperature": 0.8,
            "top_p": 0.9,
            "presence_penalty": 0.5,
            "seed": 2**31 - 1,
            "stop": ["END"],
            "stream": True,
            "stream_options": {"include_usage": True},
        }
    ]


def test_a_full_length_is_told() -> None:
    assert written(FakeOpenAI(), replace(JOB, max_length=3))[0].finish_reason == "length"


def test_where_only_chat_exists_a_prompt_is_said() -> None:
    program = FakeOpenAI(chat_only=True)
    assert written(program, JOB)[0].text == "".join(WORDS)
    assert program.bodies[-1]["messages"] == [{"role": "user", "content": "Once"}]


def test_a_conversation_goes_to_chat() -> None:
    program = FakeOpenAI()
    written(program, replace(JOB, messages=(Message("system", "Be brief."), Message("user", "Hello"))))
    assert program.bodies[0]["messages"][0] == {"role": "system", "content": "Be brief."}
    assert "prompt" not in program.bodies[0]


@pytest.mark.parametrize(
    ("flavour", "settings", "said"),
    [
        ("vllm", {"top_k": 40, "min_p": 0.1, "rep_pen": 1.1}, {"top_k": 40, "min_p": 0.1, "repetition_penalty": 1.1}),
        ("vllm", {"use_default_badwordsids": True}, {"ignore_eos": True, "truncate_prompt_tokens": 2028}),
        ("vllm", {"constraint": Constraint("regex", "[0-9]+")}, {"guided_regex": "[0-9]+"}),
        ("llamacpp", {"typical": 0.9, "rep_pen": 1.2, "rep_pen_range": 64}, {"typical_p": 0.9, "repeat_last_n": 64}),
        ("llamacpp", {"mirostat_tau": 5.0}, {"mirostat": 2, "mirostat_tau": 5.0}),
        ("llamacpp", {"dry_multiplier": 0.8, "dry_range": 512}, {"dry_multiplier": 0.8, "dry_penalty_last_n": 512}),
        ("somebody", {"logit_bias": ((5, -1.0),)}, {"logit_bias": {"5": -1.0}}),
        ("somebody", {"singleline": True}, {"stop": ["\n"]}),
        ("somebody", {"rep_pen_range": 64, "dry_base": 2.0, "sampler_order": (6, 5, 0, 1, 2, 3, 4)}, {}),
        ("somebody", {"constraint": Constraint("json_schema", '{"type": "object"}')}, {}),
    ],
)
def test_what_a_server_has_words_for_is_said(flavour: str, settings: dict[str, Any], said: dict[str, Any]) -> None:
    program = FakeOpenAI(flavour=flavour)
    written(program, replace(JOB, **settings))
    assert program.bodies[0].items() >= said.items()


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({"top_k": 40, "top_a": 0.5}, "no top_a and no top_k"),
        ({"logprobs": 3}, "no logprobs"),
        ({"constraint": Constraint("grammar", "start: A")}, "follows no grammar"),
    ],
)
def test_what_it_has_no_word_for_fails_the_job(settings: dict[str, Any], named: str) -> None:
    program = FakeOpenAI()
    with pytest.raises(UnsupportedJob, match=named):
        written(program, replace(JOB, **settings))
    assert program.bodies == []


def test_the_owner_may_let_it_go_without() -> None:
    program = FakeOpenAI()
    written(program, replace(JOB, top_k=40), ignore=("top_k",))
    assert "top_k" not in program.bodies[0]


def test_pictures_are_refused() -> None:
    async def story(url: str) -> None:
        async with engine_on(url) as engine:
            with pytest.raises(UnsupportedJob, match="makes no pictures"):
                await engine.generate(ImageJob("one", "org/model", "a house"))

    with served(FakeOpenAI().app) as url:
        run(story(url))


def test_models_have_the_names_that_the_owner_gives_them() -> None:
    async def story(url: str) -> None:
        async with engine_on(f"{url}/v1", models=("Mine::friend=org/model", "small"), parallel=4) as engine:
            assert [(each.name, each.context, each.max_batch) for each in engine.models()] == [
                ("Mine::friend", 4096, 4),
                ("small", 2048, 4),
            ]
            await engine.generate(replace(JOB, model="Mine::friend"))
            with pytest.raises(UnknownModel, match="did you mean 'small'"):
                await engine.generate(replace(JOB, model="smal"))
        with pytest.raises(EngineError, match="has no model 'org/modell'; did you mean 'org/model'"):
            await asyncio.to_thread(
                Engine, Catalog(), EngineSettings(backend="openai", url=url, models=("org/modell",))
            )

    program = FakeOpenAI(flavour="vllm")
    with served(program.app) as url:
        run(story(url))
    assert program.bodies[0]["model"] == "org/model"


def test_the_key_is_sent_and_never_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "key").write_text(f"{KEY}\n")
    program = FakeOpenAI()
    program.refusals += [(400, {"error": {"message": f"Something about {KEY} is wrong"}})]
    caplog.set_level("DEBUG")
    with pytest.raises(EngineError, match="status 400: Something about … is wrong") as caught:
        written(program, JOB, key_file=str(tmp_path / "key"))
    program.refusals = [(401, {"error": {"message": f"Incorrect API key provided: {KEY}"}})]
    with pytest.raises(EngineError, match="does not accept the key"):
        written(program, JOB, key=KEY)
    assert all(each["authorization"] == f"Bearer {KEY}" for each in program.headers)
    assert KEY not in caplog.text + str(caught.value)


def test_a_busy_server_is_asked_again() -> None:
    program = FakeOpenAI()

    async def story(url: str) -> None:
        async with engine_on(url) as engine:
            program.refusals += [(429, {"error": {"message": "slow down"}}), (503, {})]
            assert isinstance(await engine.generate(JOB), TextResult)

    with served(program.app) as url:
        run(story(url))
    assert len(program.bodies) == 3


def test_a_stream_that_breaks_fails_the_job() -> None:
    with pytest.raises(EngineError, match=r"gave up.*out of memory"):
        written(FakeOpenAI(broken=True), JOB)


def test_a_stream_without_an_end_fails_the_job() -> None:
    with pytest.raises(EngineError, match="ended before the text did"):
        written(FakeOpenAI(short=True), JOB)


def test_a_server_that_says_nothing_fails_the_job() -> None:
    program = FakeOpenAI()
    program.gate.clear()
    with pytest.raises(EngineError, match="cannot be reached: ReadTimeout"):
        written(program, JOB, timeout=0.2)


def test_cancelling_hangs_up() -> None:
    program = FakeOpenAI()
    program.gate.clear()

    async def story(url: str) -> None:
        async with engine_on(url) as engine:
            writing = asyncio.create_task(engine.generate(JOB))
            await asyncio.to_thread(program.begun.wait)
            assert engine.cancel(JOB.id)
            with pytest.raises(JobCancelled):
                await writing
            assert await asyncio.to_thread(program.gone.wait, 10)

    with served(program.app) as url:
        run(story(url))


def test_a_local_text_stops_one_for_others_which_goes_on_from_where_it_was() -> None:
    program = FakeOpenAI()
    program.gate.clear()
    told: list[Progress] = []

    async def story(url: str) -> None:
        async with engine_on(url) as engine:
            begun = asyncio.Event()

            def tell(progress: Progress) -> None:
                told.append(progress)
                begun.set()

            foreign = asyncio.create_task(engine.generate(replace(JOB, id="foreign", priority=1), tell))
            await begun.wait()
            local = asyncio.create_task(engine.generate(replace(JOB, id="local")))
            assert await asyncio.to_thread(program.gone.wait, 10), "the foreign one is stopped"
            program.gate.set()
            assert isinstance(await local, TextResult)
            result = await foreign
            assert isinstance(result, TextResult)
            assert result.text == "".join(each.text for each in told) == WORDS[0] + "".join(WORDS)

    with served(program.app) as url:
        run(story(url))
    assert [each["prompt"] for each in program.bodies] == ["Once", "Once", f"Once{WORDS[0]}"]
    assert [each["max_tokens"] for each in program.bodies] == [20, 20, 19]


@pytest.mark.parametrize(
    ("options", "error", "text"),
    [
        ({"url": "http://127.0.0.1:1"}, EngineError, "127.0.0.1:1 cannot be reached"),
        ({"url": "ftp://here"}, EngineError, "engine.url: 'ftp://here/v1' is not an address"),
        ({"url": ""}, ConfigError, "needs engine.url"),
        (
            {"url": "http://127.0.0.1:1", "key_file": "/nowhere"},
            ConfigError,
            "engine.key_file: /nowhere cannot be read",
        ),
    ],
)
def test_what_cannot_be_used_is_said_at_the_start(options: dict[str, Any], error: type[Exception], text: str) -> None:
    with pytest.raises(error, match=text):
        Engine(Catalog(), EngineSettings(backend="openai", **options))
