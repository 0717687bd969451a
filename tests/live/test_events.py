"""The event stream: a snapshot, then changes; each follower hears what it may hear, and of what it missed."""

from __future__ import annotations

import asyncio
import base64
import io
import json
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from hordenode.api.handlers import events as stream
from hordenode.coordinator import watch
from hordenode.coordinator.live import News
from hordenode.coordinator.streams import Streams
from hordenode.ops.events import QUEUE_LENGTH, KudosMoved
from tests.live.follow import follow
from tests.support.aio import run
from tests.support.horde import ANONYMOUS, IMAGE_POP, IMAGE_REQUEST, TEXT_POP, TEXT_REQUEST, Horde, open_horde


def webp() -> str:
    out = io.BytesIO()
    Image.new("RGB", (64, 64), "red").save(out, "WEBP")
    return base64.b64encode(out.getvalue()).decode()


WEBP = webp()


async def posted(horde: Horde, key: str = ANONYMOUS) -> str:
    return str((await horde.ok("POST", "/generate/text/async", TEXT_REQUEST, key=key))["id"])


async def popped(horde: Horde, worker: str) -> str:
    return str((await horde.ok("POST", "/generate/text/pop", TEXT_POP, key=worker))["id"])


async def submitted(horde: Horde, worker: str, job: str) -> None:
    await horde.ok("POST", "/generate/text/submit", {"id": job, "generation": "a whole text"}, key=worker)


def test_a_request_is_followed_from_the_queue_to_its_end(tmp_path: Path) -> None:
    async def main() -> None:
        async with open_horde(tmp_path) as horde:
            worker, key = await horde.worker_key(), await horde.user()
            async with follow(horde, key=key) as follower:
                first = await follower.next()
                assert first.name == "snapshot"
                assert first.data["requests"] == [] and first.data["kudos"] == 0.0
                request = await posted(horde, key)
                job = await popped(horde, worker)
                watch.report(horde.co, job, News(1, 80, "a whole"))
                watch.report(horde.co, job, News(2, 80, " text\n"))
                await submitted(horde, worker, job)
                seen = await follower.until("request_done")
            names = [event.name for event in seen]
            assert names == [
                "request_queued", "worker_seen", "job_popped", "job_progress", "job_progress",
                "kudos_moved", "job_done", "request_done",
            ]  # fmt: skip
            assert seen[0].data == {"id": request, "kind": "text"}
            assert seen[3].data == {"id": job, "request_id": request, "step": 1, "steps": 80, "text": "a whole"}
            assert "".join(event.data.get("text", "") for event in seen) == "a whole text\n"
            assert follower.body.count(b"\nid: ") == len(names) + 1, "numbered without a hole"
            assert len(horde.co.streams) == 0 and len(horde.co.live) == 0, "nothing stays behind"

    run(main())


def test_who_comes_late_gets_what_was_written_so_far_and_no_piece_twice(tmp_path: Path) -> None:
    async def main() -> None:
        async with open_horde(tmp_path) as horde:
            worker = await horde.worker_key()
            request = await posted(horde)
            job = await popped(horde, worker)
            watch.report(horde.co, job, News(1, 80, "one"))
            async with follow(horde, request=request) as follower:
                watch.report(horde.co, job, News(2, 80, " two"))
                snapshot = await follower.next()
                watch.report(horde.co, job, News(3, 80, " three"))
                rest = await follower.next()
            assert snapshot.data["requests"][0]["processing"] == 1
            assert snapshot.data["jobs"][0]["text"] + rest.data["text"] == "one two three"

    run(main())


def test_previews_reach_those_who_follow_the_picture(tmp_path: Path) -> None:
    async def main() -> None:
        async with open_horde(tmp_path) as horde:
            worker = await horde.worker_key()
            request = (await horde.ok("POST", "/generate/async", IMAGE_REQUEST, key=ANONYMOUS))["id"]
            job = (await horde.ok("POST", "/generate/pop", IMAGE_POP, key=worker))["id"]
            async with follow(horde, request=request) as follower:
                await follower.next()
                watch.report(horde.co, job, News(5, 20, preview=b"webp bytes"))
                event = await follower.next()
            assert base64.b64decode(event.data["preview"]) == b"webp bytes" and "text" not in event.data

    run(main())


def test_nobody_hears_what_is_not_theirs(tmp_path: Path) -> None:
    async def main() -> None:
        async with open_horde(tmp_path) as horde:
            worker, mine = await horde.worker_key(), await horde.user("mine")
            other, moderator = await horde.user("other"), await horde.user("judge", moderator=True)
            async with (
                follow(horde, key=mine) as owner,
                follow(horde, key=other) as stranger,
                follow(horde, key=ANONYMOUS) as anonymous,
                follow(horde) as keyless,
                follow(horde, key=moderator) as judge,
            ):
                await posted(horde, mine)
                job = await popped(horde, worker)
                watch.report(horde.co, job, News(1, 80, "secret words"))
                await submitted(horde, worker, job)
                heard = [event.name for event in await owner.until("request_done")]
                watched = [event.name for event in await judge.until("request_done")]
            assert "job_progress" in heard and "job_progress" in watched
            assert b"secret words" in owner.body and b"secret words" not in judge.body
            for follower in (stranger, anonymous, keyless):
                names = [line for line in follower.body.split(b"\n") if line.startswith(b"event:")]
                assert names == [b"event: snapshot", b"event: worker_seen"]

    run(main())


def test_a_wrong_key_and_too_many_requests_are_refused(tmp_path: Path) -> None:
    async def main() -> None:
        async with open_horde(tmp_path) as horde:
            for key, request, status in (("x" * 22, "", 401), (None, ",".join(map(str, range(51))), 400)):
                async with follow(horde, key=key, request=request) as refused:
                    pass
                assert refused.status == status and "message" in json.loads(refused.body)

    run(main())


def test_a_slow_follower_is_told_of_the_gap_and_gets_a_new_snapshot(tmp_path: Path) -> None:
    async def main() -> None:
        async with open_horde(tmp_path) as horde:
            worker = await horde.worker_key()
            request = await posted(horde)
            job = await popped(horde, worker)
            async with follow(horde, request=request) as follower:
                await follower.next()
                follower.reading.clear()
                for step in range(QUEUE_LENGTH + 2):
                    watch.report(horde.co, job, News(step, 5000, "."))
                    await asyncio.sleep(0)
                follower.reading.set()
                seen = await follower.until("gap")
                snapshot = await follower.next()
                watch.report(horde.co, job, News(5000, 5000, "!"))
                last = await follower.next()
            assert len(seen) < 5, "what was left out is not sent late"
            assert snapshot.data["jobs"][0]["text"] == "." * (QUEUE_LENGTH + 2)
            assert last.data["text"] == "!"

    run(main())


def test_silence_is_filled_with_heartbeats(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream, "HEARTBEAT_S", 0.01)

    async def main() -> None:
        async with open_horde(tmp_path) as horde, follow(horde) as follower:
            names = [(await follower.next()).name for _ in range(3)]
            assert names == ["snapshot", "heartbeat", "heartbeat"]

    run(main())


def test_a_follower_that_takes_nothing_is_dropped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream, "SEND_S", 0.01)
    monkeypatch.setattr(stream, "HEARTBEAT_S", 0.01)

    async def main() -> None:
        async with open_horde(tmp_path) as horde, follow(horde) as follower:
            await follower.next()
            follower.reading.clear()
            await follower.ended.wait()
            assert len(horde.co.streams) == 0

    run(main())


def test_streams_end_when_the_node_stops(tmp_path: Path) -> None:
    async def main() -> None:
        async with open_horde(tmp_path) as horde, follow(horde) as follower:
            await follower.next()
            horde.co.stop()
            await follower.ended.wait()
            async with follow(horde) as late:
                pass
            assert late.status == 503

    run(main())


def test_streams_are_limited_each_and_in_all(tmp_path: Path) -> None:
    async def main() -> None:
        async with open_horde(tmp_path) as horde:
            horde.co.streams = Streams(most=3, most_each=2)
            statuses = []
            async with follow(horde) as one, follow(horde) as two, follow(horde, address="10.0.0.2") as three:
                for follower in (one, two, three):
                    await follower.next()
                for address in ("127.0.0.1", "10.0.0.3"):
                    async with follow(horde, address=address) as refused:
                        pass
                    statuses.append(refused.status)
            assert statuses == [429, 503]
            async with follow(horde) as again:
                assert (await again.next()).name == "snapshot"

    run(main())


def test_an_event_that_nobody_follows_costs_next_to_nothing(tmp_path: Path) -> None:
    streams = Streams()
    event: Any = KudosMoved(account=5, amount=1)
    with streams.subscribe("somebody", frozenset({("user", 6)})) as subscription:
        streams.deliver(event)
        assert subscription.take() == []


def test_a_remote_worker_reports_what_its_job_does(tmp_path: Path) -> None:
    async def main() -> None:
        async with open_horde(tmp_path) as horde:
            worker, stranger, key = await horde.worker_key(), await horde.user("stranger"), await horde.user()
            request = await posted(horde, key)
            job = await popped(horde, worker)

            async def tell(who: str | None, body: dict[str, Any], job_id: str = job) -> tuple[int, str]:
                headers = {"apikey": who} if who else {}
                answer = await horde.http.post(f"/api/node/v1/jobs/{job_id}/progress", json=body, headers=headers)
                return answer.status_code, answer.json().get("rc", "")

            good = {"step": 3, "steps": 80, "text": "three words more"}
            async with follow(horde, key=key) as follower:
                await follower.next()
                assert await tell(worker, good) == (200, "")
                event = (await follower.until("job_progress"))[-1]
                assert event.data == good | {"id": job, "request_id": request}
                assert await tell(worker, good | {"text": "", "preview": WEBP}) == (200, "")
                assert (await follower.next()).data["preview"] == WEBP
            assert await tell(None, good) == (400, "")
            assert await tell("x" * 22, good) == (401, "InvalidAPIKey")
            assert await tell(stranger, good) == (403, "WrongCredentials")
            assert await tell(key, good) == (403, "WrongCredentials")
            assert await tell(worker, good, "nonsense") == (404, "InvalidJobID")
            assert await tell(worker, good | {"step": -1}) == (400, "")
            for bad in ({"preview": "no base64"}, {"preview": "aGVsbG8="}, {"text": "x" * 5000}):
                assert await tell(worker, good | bad) == (400, "BadRequest")
            await submitted(horde, worker, job)
            assert await tell(worker, good) == (404, "InvalidJobID"), "it is over"

    run(main())
