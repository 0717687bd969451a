"""The `hordenode` object of a text request: what v2 has no words for goes to workers that know it, and to no others."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from hordenode.coordinator.local import LocalHorde
from hordenode.engine.jobs import Constraint, Message
from hordenode.protocol.text import TextPop
from hordenode.worker import results
from tests.support.aio import run
from tests.support.horde import ANONYMOUS, TEXT_POP, TEXT_REQUEST, Horde, open_horde

OURS = TEXT_POP | {"bridge_agent": "hordenode:0.1.0:somewhere", "name": "ours"}
EVERYTHING: dict[str, Any] = {
    "messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hello!"}],
    "json_schema": {"type": "object"},
    "logprobs": 3,
    "presence_penalty": 0.5,
    "frequency_penalty": -0.5,
    "logit_bias": {"17": -100, "3": 2.5},
    "mirostat_tau": 4.0,
    "mirostat_eta": 0.2,
    "xtc_probability": 0.5,
    "xtc_threshold": 0.2,
    "dry_multiplier": 0.8,
    "dry_base": 2.0,
    "dry_allowed_length": 3,
    "dry_range": 100,
    "dry_breakers": ["\n"],
}


async def post(horde: Horde, extension: dict[str, Any]) -> Any:
    body = TEXT_REQUEST | {"params": {"hordenode": extension}}
    return await horde.ok("POST", "/generate/text/async", body, key=ANONYMOUS)


def test_it_reaches_a_worker_that_knows_it(tmp_path: Path) -> None:
    async def main() -> None:
        async with open_horde(tmp_path) as horde:
            key = await horde.worker_key()
            accepted = await post(horde, EVERYTHING)
            skipped = await horde.ok("POST", "/generate/text/pop", TEXT_POP, key=key)
            assert (skipped["id"], skipped["skipped"]["bridge_version"]) == (None, 1)
            job = await horde.ok("POST", "/generate/text/pop", OURS, key=key)
            assert job["payload"]["hordenode"] == EVERYTHING
            assert job["payload"]["prompt"] == "Be brief.\nHello!"
            assert (await horde.ok("GET", f"/generate/text/status/{accepted['id']}"))["processing"] == 1

    run(main())


def test_the_engine_gets_all_of_it(tmp_path: Path) -> None:
    """Through a worker in the same process, which also hears whose turn it is."""

    async def main() -> None:
        async with open_horde(tmp_path) as horde:
            await horde.worker_key()
            for extension in (EVERYTHING, {"regex": "a+"}):
                await post(horde, extension)
            local = LocalHorde(horde.co, 1, OURS["bridge_agent"])
            offer = TextPop(name="ours", models=tuple(TEXT_POP["models"]), bridge_agent=OURS["bridge_agent"])
            first, second = [await local.pop_text(offer) for _ in range(2)]
            made = results.engine_text_job(first, "a", 0, 0)
            assert made.messages == (Message("system", "Be brief."), Message("user", "Hello!"))
            assert made.constraint == Constraint("json_schema", '{"type":"object"}')
            assert dict(made.logit_bias) == {17: -100.0, 3: 2.5}
            plain = EVERYTHING.keys() - {"messages", "json_schema", "logit_bias", "dry_breakers"}
            assert {name: getattr(made, name) for name in plain} == {name: EVERYTHING[name] for name in plain}
            assert made.dry_breakers == ("\n",)
            other = results.engine_text_job(second, "b", 0, 0)
            assert other.constraint == Constraint("regex", "a+")
            assert made.user == other.user != ""

    run(main())


def test_others_see_nothing_of_it(tmp_path: Path) -> None:
    async def main() -> None:
        async with open_horde(tmp_path) as horde:
            key = await horde.worker_key()
            for extension in ({}, {"user": "somebody else"}):
                await post(horde, extension)
                job = await horde.ok("POST", "/generate/text/pop", TEXT_POP, key=key)
                assert job["id"] is not None and "hordenode" not in job["payload"]

    run(main())


@pytest.mark.parametrize(
    ("extension", "where"),
    [
        ({"regex": "a", "grammar": "start: b"}, "params.hordenode"),
        ({"logprobs": 21}, "params.hordenode.logprobs"),
        ({"logit_bias": {"a": 1}}, "params.hordenode.logit_bias"),
        ({"logit_bias": {"1": 101}}, "params.hordenode.logit_bias"),
        ({"logit_bias": {"1": True}}, "params.hordenode.logit_bias"),
        ({"messages": [{"role": "user"}]}, "params.hordenode.messages.0.content"),
        ({"json_schema": "{}"}, "params.hordenode.json_schema"),
        ({"json_schema": {"a": 2**70}}, "params.hordenode.json_schema"),
        ({"presence_penalty": 3}, "params.hordenode.presence_penalty"),
        ({"regex": ""}, "params.hordenode.regex"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, extension: dict[str, Any], where: str) -> None:
    async def main() -> None:
        async with open_horde(tmp_path) as horde:
            body = TEXT_REQUEST | {"params": {"hordenode": extension}}
            answer = await horde.call("POST", "/generate/text/async", body, key=ANONYMOUS)
            assert answer.status_code == 400
            assert list(answer.json()["errors"]) == [where]

    run(main())
