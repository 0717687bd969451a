"""The `hordenode` object of a text request: what v2 has no words for goes to workers that know it, and to no others."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest

from hordenode.coordinator.local import LocalHorde
from hordenode.engine.jobs import Constraint, Likely, Message, TextResult, TokenLikelihood
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


def likely(token: int, text: str, logprob: float, **more: Any) -> dict[str, Any]:
    return {"token": token, "text": text, "logprob": logprob} | more


LOGPROBS = [
    likely(5, "One", -0.5, top=[likely(5, "One", -0.5), likely(7, "Two", -1.25)]),
    likely(9, " more", -9999.0, top=[]),
]


async def submit(horde: Horde, key: str, extension: dict[str, Any], **made: Any) -> Any:
    """The generations of a request with this extension, once a worker has handed in a text with what it `made`."""
    request = (await post(horde, extension))["id"]
    job = await horde.ok("POST", "/generate/text/pop", OURS, key=key)
    body = {"id": job["id"], "generation": "One more", "state": "ok", "seed": 1} | made
    answer = await horde.call("POST", "/generate/text/submit", body, key=key)
    if answer.status_code != 200:
        return list(answer.json().get("errors", {}))
    return (await horde.ok("GET", f"/generate/text/status/{request}"))["generations"]


def test_logprobs_come_back_to_who_asked_for_them(tmp_path: Path) -> None:
    async def main() -> None:
        async with open_horde(tmp_path) as horde:
            key = await horde.worker_key()
            (told,) = await submit(horde, key, {"logprobs": 2}, hordenode={"logprobs": LOGPROBS})
            assert told["hordenode"] == {"logprobs": LOGPROBS}
            (untold,) = await submit(horde, key, {"logprobs": 0})
            (unasked,) = await submit(horde, key, {"mirostat_tau": 4.0}, hordenode={"logprobs": LOGPROBS})
            assert "hordenode" not in untold and "hordenode" not in unasked

    run(main())


@pytest.mark.parametrize(
    ("bad", "where"),
    [
        ({"logprobs": [likely(1, "a", 0.5)]}, "hordenode.logprobs.0.logprob"),
        ({"logprobs": [likely(-1, "a", -0.5)]}, "hordenode.logprobs.0.token"),
        ({"logprobs": [likely(1, "a", -0.5, top=[likely(1, "a", -0.5)] * 21)]}, "hordenode.logprobs.0.top"),
        ({"logprobs": {}}, "hordenode.logprobs"),
        ([], "hordenode"),
    ],
)
def test_logprobs_that_are_none_are_refused(tmp_path: Path, bad: Any, where: str) -> None:
    async def main() -> None:
        async with open_horde(tmp_path) as horde:
            assert await submit(horde, await horde.worker_key(), {"logprobs": 2}, hordenode=bad) == [where]

    run(main())


def test_what_the_engine_tells_is_what_hordes_take() -> None:
    """No infinity, no NUL."""
    never = TokenLikelihood(Likely(3, "a\0", float("-inf")), (Likely(4, "b", 1e-12),))
    made = results.text_submit("a", TextResult("a", "text", 1, 1, "stop", 7, (never,))).hordenode
    assert msgspec.json.decode(msgspec.json.encode(made)) == {
        "logprobs": [likely(3, "a\ufffd", -9999.0, top=[likely(4, "b", 0.0)])]
    }
    assert results.text_submit("a", TextResult("a", "text", 1, 1, "stop", 7)).hordenode is msgspec.UNSET


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
