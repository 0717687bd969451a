"""Webhooks on real sockets: what is sent, tried again, given up, refused, and sent after a restart (contract 23)."""

from __future__ import annotations

import asyncio
import base64
import io
import json
import logging
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from hordenode.client.guard import Guard, parse_networks
from hordenode.coordinator.webhooks import RETRY_S, UNRECORDED_S, WebhookSender
from hordenode.domain.signatures import HEADER, verify
from tests.support.aio import run
from tests.support.horde import (
    ALCHEMY_POP,
    ALCHEMY_REQUEST,
    ANONYMOUS,
    BASE,
    IMAGE_POP,
    IMAGE_REQUEST,
    TEXT_POP,
    TEXT_REQUEST,
    Horde,
    open_horde,
)
from tests.support.web import Authority, WebServer, names, web_server

AUTHORITY = Authority()
HERE = parse_networks(["127.0.0.0/8"])


class Stage:
    """A horde, the server that its webhooks reach as https://hook.test, and the keys of those who play."""

    def __init__(self, horde: Horde, server: WebServer, sender: WebhookSender) -> None:
        self.horde, self.server, self.sender = horde, server, sender
        self.user = self.worker = ""

    @property
    def url(self) -> str:
        return f"https://hook.test:{self.server.port}/hear?me=1"

    async def text(self, key: str, **more: Any) -> tuple[str, dict[str, Any]]:
        """A finished text that asked for the webhook: id of the request, and the popped job."""
        accepted = await self.horde.ok(
            "POST", "/generate/text/async", TEXT_REQUEST | {"webhook": self.url} | more, key=key
        )
        job = await self.horde.ok("POST", "/generate/text/pop", TEXT_POP, key=self.worker)
        body = {"id": job["id"], "generation": "there was a horde", "seed": 7}
        await self.horde.ok("POST", "/generate/text/submit", body, key=self.worker)
        return accepted["id"], job

    async def owed(self) -> int:
        """How many webhooks stand in the store."""
        return await self.horde.co.db.read(lambda tx: tx._execute("SELECT count(*) FROM webhooks").fetchone()[0])


@asynccontextmanager
async def stage(folder: Path, guard: Guard | None = None, seed: int = 0) -> AsyncIterator[Stage]:
    async with AsyncExitStack() as stack:
        server = await stack.enter_async_context(web_server(AUTHORITY.server("hook.test", "other.test")))
        horde = await stack.enter_async_context(open_horde(folder, seed=seed))
        known = names(hook_test=["127.0.0.1"], other_test=["127.0.0.1"])
        horde.co.guard = guard or Guard(HERE, resolve=known, tls=AUTHORITY.client())
        sender = WebhookSender(horde.co)
        stack.push_async_callback(sender.aclose)
        made = Stage(horde, server, sender)
        made.user, made.worker = await horde.user("somebody"), await horde.worker_key()
        yield made


def test_a_finished_text_is_told(tmp_path: Path) -> None:
    async def main() -> None:
        async with stage(tmp_path) as s:
            request_id, job = await s.text(s.user)
            assert await s.sender.deliver_due() == 1
            (heard,) = s.server.heard
            assert (heard.method, heard.path) == ("POST", "/hear?me=1")
            assert heard.headers["content-type"] == "application/json"
            worker = (await s.horde.ok("GET", "/workers"))[0]
            told = json.loads(heard.body)
            assert told.pop("kudos") > 0
            assert told == {
                "text": "there was a horde",
                "seed": 7,
                "worker_id": worker["id"],
                "worker_name": "writer",
                "model": "model one",
                "id": job["id"],
                "state": "ok",
                "gen_metadata": [],
                "request": request_id,
            }
            assert await s.owed() == 0 and await s.sender.deliver_due() == 0

    run(main())


@pytest.mark.parametrize("r2", [True, False])
def test_a_finished_picture_is_told(tmp_path: Path, r2: bool) -> None:
    async def main() -> None:
        async with stage(tmp_path) as s:
            asked = IMAGE_REQUEST | {"webhook": s.url, "r2": r2}
            accepted = await s.horde.ok("POST", "/generate/async", asked, key=s.user)
            job = await s.horde.ok("POST", "/generate/pop", IMAGE_POP, key=s.worker)
            picture = io.BytesIO()
            Image.new("RGB", (64, 64), "red").save(picture, "WEBP")
            inline = base64.b64encode(picture.getvalue()).decode()
            body = {"id": job["id"], "generation": inline, "seed": 5}
            reward = (await s.horde.ok("POST", "/generate/submit", body, key=s.worker))["reward"]
            await s.sender.deliver_due()
            told = json.loads(s.server.heard[0].body)
            if r2:
                assert told["img"].startswith(BASE)
                assert Image.open(io.BytesIO((await s.horde.http.get(told["img"])).content)).size == (64, 64)
            else:
                assert Image.open(io.BytesIO(base64.b64decode(told["img"]))).size == (64, 64)
            assert (told["seed"], told["id"], told["censored"], told["gen_metadata"]) == (5, job["id"], False, [])
            assert (told["request"], told["kudos"], told["worker_name"]) == (accepted["id"], reward, "painter")
            assert "state" not in told

    run(main())


def test_a_finished_form_is_told(tmp_path: Path) -> None:
    async def main() -> None:
        async with stage(tmp_path) as s:
            forms = [{"name": "caption"}, {"name": "GFPGAN"}]
            asked = ALCHEMY_REQUEST | {"webhook": s.url, "forms": forms}
            accepted = await s.horde.ok("POST", "/interrogate/async", asked, key=s.user)
            results = {"caption": {"caption": "a red dot"}, "GFPGAN": {"GFPGAN": "R2"}}
            for _ in forms:
                (form,) = (await s.horde.ok("POST", "/interrogate/pop", ALCHEMY_POP, key=s.worker))["forms"]
                body = {"id": form["id"], "result": results[form["form"]]}
                await s.horde.ok("POST", "/interrogate/submit", body, key=s.worker)
            await s.sender.deliver_due()
            told = {call["form"]: call for call in (json.loads(heard.body) for heard in s.server.heard)}
            assert told["caption"]["result"] == {"caption": "a red dot"}
            assert told["GFPGAN"]["result"]["GFPGAN"].startswith(BASE)
            for call in told.values():
                assert (call["request"], call["state"], call["worker_name"]) == (accepted["id"], "done", "alchemist")
                assert call["id"] != accepted["id"] and call["kudos"] > 0 and call["worker_id"]

    run(main())


def test_neither_faults_nor_requests_without_a_webhook_are_told(tmp_path: Path) -> None:
    async def main() -> None:
        async with stage(tmp_path) as s:
            await s.horde.ok("POST", "/generate/text/async", TEXT_REQUEST | {"webhook": s.url}, key=s.user)
            job = await s.horde.ok("POST", "/generate/text/pop", TEXT_POP, key=s.worker)
            faulted = {"id": job["id"], "generation": "", "state": "faulted"}
            await s.horde.ok("POST", "/generate/text/submit", faulted, key=s.worker)
            assert await s.owed() == 0

    run(main())


def test_who_cancelled_hears_nothing_more(tmp_path: Path) -> None:
    async def main() -> None:
        async with stage(tmp_path) as s:
            accepted = await s.horde.ok("POST", "/generate/text/async", TEXT_REQUEST | {"webhook": s.url}, key=s.user)
            job = await s.horde.ok("POST", "/generate/text/pop", TEXT_POP, key=s.worker)
            await s.horde.ok("DELETE", f"/generate/text/status/{accepted['id']}")
            body = {"id": job["id"], "generation": "too late"}
            assert (await s.horde.ok("POST", "/generate/text/submit", body, key=s.worker))["reward"] > 0
            assert await s.owed() == 0

    run(main())


def test_a_call_whose_outcome_cannot_be_stored_is_not_made_again_at_once(tmp_path: Path) -> None:
    async def main() -> None:
        async with stage(tmp_path) as s:
            await s.text(s.user)
            broken = "CREATE TRIGGER broken BEFORE DELETE ON webhooks BEGIN SELECT RAISE(ABORT, 'broken'); END"
            await s.horde.co.db.write(lambda tx: tx._execute(broken))
            assert await s.sender.deliver_due() == 1
            assert await s.sender.deliver_due() == 0
            await s.horde.co.db.write(lambda tx: tx._execute("DROP TRIGGER broken"))
            s.horde.clock.advance(UNRECORDED_S)
            assert await s.sender.deliver_due() == 1 and await s.owed() == 0

    run(main())


def test_the_signature_proves_horde_user_and_time(tmp_path: Path) -> None:
    async def main() -> None:
        async with stage(tmp_path) as s:
            await s.text(s.user)
            await s.sender.deliver_due()
            (heard,) = s.server.heard
            answer = await s.horde.http.get("/api/node/v1/webhooks", headers={"apikey": s.user})
            told, now = answer.json(), s.horde.clock.now_ms()
            assert told["header"] == HEADER
            signature = heard.headers[HEADER.lower()]
            assert verify(told["secret"], signature, heard.body, now)
            assert not verify(told["secret"], signature, heard.body + b" ", now)
            assert not verify(told["secret"], signature, heard.body, now + 301_000)
            assert not verify(told["secret"], "nonsense", heard.body, now)
            other = await s.horde.http.get("/api/node/v1/webhooks", headers={"apikey": s.worker})
            assert not verify(other.json()["secret"], signature, heard.body, now)

    run(main())


def test_anonymous_requests_are_told_without_a_signature(tmp_path: Path) -> None:
    async def main() -> None:
        async with stage(tmp_path) as s:
            await s.text(ANONYMOUS)
            await s.sender.deliver_due()
            assert HEADER.lower() not in s.server.heard[0].headers
            answer = await s.horde.http.get("/api/node/v1/webhooks", headers={"apikey": ANONYMOUS})
            assert answer.json()["rc"] == "AnonForbidden"

    run(main())


def test_a_target_that_fails_is_tried_again_later_each_time(tmp_path: Path) -> None:
    async def main() -> None:
        async with stage(tmp_path) as s:
            s.server.answers = [(500, {}, b""), (429, {}, b""), (503, {}, b"")]
            await s.text(s.user)
            assert await s.sender.deliver_due() == 1
            for pause in RETRY_S:
                assert await s.sender.deliver_due() == 0
                s.horde.clock.advance(pause)
                assert await s.sender.deliver_due() == 1
            assert len(s.server.heard) == 1 + len(RETRY_S)
            assert await s.owed() == 0
            assert sum(RETRY_S) < 20 * 60, "the result is gone after twenty minutes"

    run(main())


def test_a_target_that_recovers_hears_of_it_once(tmp_path: Path) -> None:
    async def main() -> None:
        async with stage(tmp_path) as s:
            s.server.answers = [(500, {}, b""), (204, {}, b"")]
            await s.text(s.user)
            await s.sender.deliver_due()
            s.horde.clock.advance(RETRY_S[0])
            await s.sender.deliver_due()
            first, second = s.server.heard
            assert first.body == second.body and await s.owed() == 0

    run(main())


@pytest.mark.parametrize("answer", [(404, {}, b""), (400, {}, b""), (302, {"Location": "https://other.test/"}, b"")])
def test_what_trying_again_would_not_help_is_given_up(
    tmp_path: Path, answer: tuple[int, dict[str, str], bytes], caplog: pytest.LogCaptureFixture
) -> None:
    async def main() -> None:
        async with stage(tmp_path) as s:
            s.server.answers = [answer]
            await s.text(s.user)
            with caplog.at_level(logging.WARNING, "hordenode.webhooks"):
                await s.sender.deliver_due()
            assert len(s.server.heard) == 1 and await s.owed() == 0
            assert f"hook.test: it answered {answer[0]}, given up" in caplog.text
            assert "me=1" not in caplog.text and "hear" not in caplog.text

    run(main())


@pytest.mark.parametrize(
    ("host", "addresses"), [("router.test", ["192.168.1.1"]), ("127.0.0.1", []), ("both.test", ["1.1.1.1", "::1"])]
)
def test_private_targets_are_refused(
    tmp_path: Path, host: str, addresses: Sequence[str], caplog: pytest.LogCaptureFixture
) -> None:
    async def main() -> None:
        known = {host.replace(".", "_"): addresses} if addresses else {}
        async with stage(tmp_path, Guard(resolve=names(**known))) as s:
            await s.text(s.user, webhook=f"https://{host}:{s.server.port}/")
            with caplog.at_level(logging.WARNING, "hordenode.webhooks"):
                await s.sender.deliver_due()
            assert s.server.heard == [] and await s.owed() == 0
            assert "is not a public address, given up" in caplog.text

    run(main())


def test_a_foreign_certificate_is_not_believed(tmp_path: Path) -> None:
    async def main() -> None:
        guard = Guard(HERE, resolve=names(hook_test=["127.0.0.1"]), tls=Authority().client())
        async with stage(tmp_path, guard) as s:
            await s.text(s.user)
            await s.sender.deliver_due()
            assert s.server.heard == [] and await s.owed() == 1

    run(main())


@pytest.mark.parametrize("webhook", ["http://hook.test/", "hook.test/webhook", "ftp://hook.test/"])
def test_only_https_targets_are_accepted(tmp_path: Path, webhook: str) -> None:
    async def main() -> None:
        async with stage(tmp_path) as s:
            for path, body in (("/generate/async", IMAGE_REQUEST), ("/generate/text/async", TEXT_REQUEST)):
                answer = await s.horde.call("POST", path, body | {"webhook": webhook}, key=s.user)
                assert answer.status_code == 400 and answer.json()["rc"] == "BadRequest"

    run(main())


def test_what_is_owed_survives_a_restart(tmp_path: Path) -> None:
    async def main() -> None:
        async with stage(tmp_path) as s:
            request_id, _ = await s.text(s.user)
        async with stage(tmp_path, seed=1) as s:
            moved = f"https://hook.test:{s.server.port}/again"
            await s.horde.co.db.write(lambda tx: tx._execute("UPDATE webhooks SET url = ?", (moved,)))
            await s.sender.deliver_due()
            assert json.loads(s.server.heard[0].body)["request"] == request_id

    run(main())


def test_a_result_that_expired_is_not_told(tmp_path: Path) -> None:
    async def main() -> None:
        async with stage(tmp_path) as s:
            request_id, _ = await s.text(s.user)
            await s.horde.co.db.write(lambda tx: tx._execute("DELETE FROM waiting_prompts WHERE id = ?", (request_id,)))
            await s.sender.deliver_due()
            assert s.server.heard == [] and await s.owed() == 0

    run(main())


def test_the_service_calls_by_itself_and_many_at_once(tmp_path: Path) -> None:
    async def main() -> None:
        async with stage(tmp_path) as s:
            service = asyncio.create_task(s.sender.run())
            many = TEXT_REQUEST | {"webhook": s.url, "params": TEXT_REQUEST["params"] | {"n": 20}}
            await s.horde.ok("POST", "/generate/text/async", many, key=s.user)
            for _ in range(20):
                job = await s.horde.ok("POST", "/generate/text/pop", TEXT_POP, key=s.worker)
                body = {"id": job["id"], "generation": "text"}
                await s.horde.ok("POST", "/generate/text/submit", body, key=s.worker)
            heard = await s.server.heard_times(20)
            assert len({json.loads(call.body)["id"] for call in heard}) == 20
            service.cancel()
            await asyncio.wait([service])

    run(main())
