"""An image request from POST to picture, and each thing that can go wrong on the way (contract 3, 6, 7, 8, 9)."""

from __future__ import annotations

import asyncio
import base64
import io
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from PIL import Image

from tests.contract.schema import validate
from tests.support.aio import run
from tests.support.horde import ANONYMOUS, BASE, IMAGE_POP, IMAGE_REQUEST, Horde, open_horde


def webp(color: str = "red", size: int = 64) -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (size, size), color).save(out, "WEBP")
    return out.getvalue()


async def checked(
    horde: Horde, route: str, status: int, path: str, body: object = None, key: str | None = None
) -> dict:  # type: ignore[type-arg]
    """A call whose status is expected and whose answer must fit api.json."""
    method = route.partition(" ")[0]
    answer = await horde.call(method, path, body, key=key)
    assert answer.status_code == status, answer.text[:500]
    made = answer.json()
    validate(route, status, made)
    return made  # type: ignore[no-any-return]


def test_a_picture_is_made_uploaded_and_downloaded(tmp_path: Path) -> None:
    async def main() -> None:
        async with open_horde(tmp_path) as horde:
            key, picture = await horde.worker_key(), webp()
            await checked(horde, "POST /generate/pop", 200, "/generate/pop", IMAGE_POP, key)
            accepted = await checked(horde, "POST /generate/async", 202, "/generate/async", IMAGE_REQUEST, ANONYMOUS)
            assert "message" not in accepted
            request_id = accepted["id"]
            check = await checked(horde, "GET /generate/check/{id}", 200, f"/generate/check/{request_id}")
            assert (check["waiting"], check["queue_position"], check["done"], check["is_possible"]) == (
                1,
                1,
                False,
                True,
            )
            job = await checked(horde, "POST /generate/pop", 200, "/generate/pop", IMAGE_POP, key)
            assert job["payload"]["prompt"] == "a red circle"
            assert job["payload"]["ddim_steps"] == 20
            assert 0 <= int(job["payload"]["seed"]) < 2**32
            assert job["ids"] == [job["id"]] and job["r2_uploads"] == [job["r2_upload"]]
            upload = await horde.http.put(job["r2_upload"], content=picture)
            assert upload.status_code == 200
            check = await checked(horde, "GET /generate/check/{id}", 200, f"/generate/check/{request_id}")
            assert (check["processing"], check["waiting"], check["queue_position"]) == (1, 0, 0)
            body = {"id": job["id"], "generation": "R2", "seed": 5}
            submitted = await checked(horde, "POST /generate/submit", 200, "/generate/submit", body, key)
            assert submitted["reward"] > 0
            status = await checked(horde, "GET /generate/status/{id}", 200, f"/generate/status/{request_id}")
            item = status["generations"][0]
            assert (
                status["done"]
                and item["seed"] == "5"
                and item["worker_name"] == "painter"
                and item["model"] == "model one"
            )
            assert "https" in item["img"] and item["img"].startswith(BASE)
            got = await horde.http.get(item["img"])
            assert got.content == picture
            assert got.headers["content-type"] == "image/webp" and got.headers["access-control-allow-origin"] == "*"
            assert await horde.ledger_sum() == 0

    run(main())


def test_an_inline_picture_comes_back_as_base64_when_r2_is_off(tmp_path: Path) -> None:
    async def main() -> None:
        async with open_horde(tmp_path) as horde:
            key = await horde.worker_key()
            accepted = await horde.ok("POST", "/generate/async", IMAGE_REQUEST | {"r2": False}, key=ANONYMOUS)
            job = await horde.ok("POST", "/generate/pop", IMAGE_POP, key=key)
            png = io.BytesIO()
            Image.new("RGB", (64, 64), "blue").save(png, "PNG")
            body = {"id": job["id"], "generation": base64.b64encode(png.getvalue()).decode(), "seed": "7"}
            await horde.ok("POST", "/generate/submit", body, key=key)
            status = await checked(horde, "GET /generate/status/{id}", 200, f"/generate/status/{accepted['id']}")
            image = Image.open(io.BytesIO(base64.b64decode(status["generations"][0]["img"])))
            assert image.format == "WEBP" and image.size == (64, 64)

    run(main())


@pytest.mark.parametrize("written", [base64.b64encode, base64.encodebytes])
def test_an_inline_webp_comes_back_as_it_is_stored(tmp_path: Path, written: Callable[[bytes], bytes]) -> None:
    """In one line, however it was sent, and what was uploaded for the job afterwards instead of it."""

    async def main() -> None:
        async with open_horde(tmp_path) as horde:
            key = await horde.worker_key()
            accepted = await horde.ok("POST", "/generate/async", IMAGE_REQUEST | {"r2": False}, key=ANONYMOUS)
            job = await horde.ok("POST", "/generate/pop", IMAGE_POP, key=key)
            first, second = webp("blue"), webp("red")
            body = {"id": job["id"], "generation": written(first).decode(), "seed": "7"}
            await horde.ok("POST", "/generate/submit", body, key=key)
            path = f"/generate/status/{accepted['id']}"
            assert (await horde.ok("GET", path))["generations"][0]["img"] == base64.b64encode(first).decode()
            assert (await horde.http.put(job["r2_upload"], content=second)).status_code == 200
            assert (await horde.ok("GET", path))["generations"][0]["img"] == base64.b64encode(second).decode()

    run(main())


def test_a_late_inline_picture_is_no_file_for_ever(tmp_path: Path) -> None:
    """It lost against another submission while it was stored: its row lets the janitor remove it."""

    async def main() -> None:
        async with open_horde(tmp_path) as horde:
            key = await horde.worker_key()
            await horde.ok("POST", "/generate/async", IMAGE_REQUEST, key=ANONYMOUS)
            job = await horde.ok("POST", "/generate/pop", IMAGE_POP, key=key)
            bodies = [
                {"id": job["id"], "generation": base64.b64encode(webp("blue")).decode(), "seed": "7"},
                {"id": job["id"], "generation": "faulted", "seed": "7", "state": "faulted"},
            ]
            answers = await asyncio.gather(*(horde.call("POST", "/generate/submit", body, key=key) for body in bodies))
            assert [answer.status_code for answer in answers] == [400, 200]
            assert answers[0].json()["rc"] == "AbortedGen"
            assert await horde.rows("SELECT key FROM blobs") == [(f"{job['id']}.webp",)]

    run(main())


def test_an_undecodable_inline_picture_counts_as_faulted(tmp_path: Path) -> None:
    async def main() -> None:
        async with open_horde(tmp_path) as horde:
            key = await horde.worker_key()
            accepted = await horde.ok("POST", "/generate/async", IMAGE_REQUEST, key=ANONYMOUS)
            job = await horde.ok("POST", "/generate/pop", IMAGE_POP, key=key)
            answer = await horde.ok(
                "POST", "/generate/submit", {"id": job["id"], "generation": "junk", "seed": 1}, key=key
            )
            assert answer["reward"] == 0
            check = await horde.ok("GET", f"/generate/check/{accepted['id']}")
            assert (check["restarted"], check["waiting"]) == (1, 1)

    run(main())


def test_the_third_fault_ends_the_request(tmp_path: Path) -> None:
    async def main() -> None:
        async with open_horde(tmp_path) as horde:
            key = await horde.worker_key()
            accepted = await horde.ok("POST", "/generate/async", IMAGE_REQUEST, key=ANONYMOUS)
            for _ in range(3):
                job = await horde.ok("POST", "/generate/pop", IMAGE_POP, key=key)
                body = {"id": job["id"], "generation": "faulted", "seed": -1, "state": "faulted"}
                assert (await horde.ok("POST", "/generate/submit", body, key=key))["reward"] == 0
            check = await checked(horde, "GET /generate/check/{id}", 200, f"/generate/check/{accepted['id']}")
            assert (check["faulted"], check["done"], check["restarted"], check["is_possible"]) == (True, True, 3, False)
            assert (await horde.ok("POST", "/generate/pop", IMAGE_POP, key=key))["id"] is None

    run(main())


def test_exactly_one_submission_wins(tmp_path: Path) -> None:
    async def main() -> None:
        async with open_horde(tmp_path) as horde:
            key, other = await horde.worker_key(), await horde.user("stranger")
            await horde.ok("POST", "/generate/async", IMAGE_REQUEST, key=ANONYMOUS)
            job = await horde.ok("POST", "/generate/pop", IMAGE_POP, key=key)
            body = {"id": job["id"], "generation": "R2", "seed": 1}
            refused = await checked(horde, "POST /generate/submit", 403, "/generate/submit", body, other)
            assert refused["rc"] == "WrongCredentials"
            refused = await checked(horde, "POST /generate/submit", 401, "/generate/submit", body, "nobody's key")
            assert refused["rc"] == "InvalidAPIKey"
            await checked(horde, "POST /generate/submit", 200, "/generate/submit", body, key)
            refused = await checked(horde, "POST /generate/submit", 400, "/generate/submit", body, key)
            assert refused["rc"] == "DuplicateGen" and "already submitted" in refused["message"]
            unknown = body | {"id": "00000000-0000-4000-8000-000000000000"}
            refused = await checked(horde, "POST /generate/submit", 404, "/generate/submit", unknown, key)
            assert refused["rc"] == "InvalidJobID"

    run(main())


def test_a_stale_job_goes_back_and_its_late_result_is_refused(tmp_path: Path) -> None:
    from hordenode.coordinator import janitor

    async def main() -> None:
        async with open_horde(tmp_path) as horde:
            key = await horde.worker_key()
            accepted = await horde.ok("POST", "/generate/async", IMAGE_REQUEST, key=ANONYMOUS)
            job = await horde.ok("POST", "/generate/pop", IMAGE_POP, key=key)
            horde.clock.advance(job["ttl"] - 1)
            assert await janitor.sweep_stale(horde.co) == 0
            horde.clock.advance(2)
            assert await janitor.sweep_stale(horde.co) == 1
            body = {"id": job["id"], "generation": "R2", "seed": 1}
            refused = await checked(horde, "POST /generate/submit", 400, "/generate/submit", body, key)
            assert refused["rc"] == "AbortedGen" and "Please check your worker speed" in refused["message"]
            check = await horde.ok("GET", f"/generate/check/{accepted['id']}")
            assert (check["waiting"], check["restarted"]) == (1, 1)

    run(main())


def test_expired_requests_and_their_files_disappear(tmp_path: Path) -> None:
    from hordenode.coordinator import janitor

    async def main() -> None:
        async with open_horde(tmp_path) as horde:
            key = await horde.worker_key()
            accepted = await horde.ok("POST", "/generate/async", IMAGE_REQUEST, key=ANONYMOUS)
            job = await horde.ok("POST", "/generate/pop", IMAGE_POP, key=key)
            await horde.http.put(job["r2_upload"], content=webp())
            await horde.ok("POST", "/generate/submit", {"id": job["id"], "generation": "R2", "seed": 1}, key=key)
            link = (await horde.ok("GET", f"/generate/status/{accepted['id']}"))["generations"][0]["img"]
            horde.clock.advance(20 * 60 + 1)
            assert await janitor.sweep_expired(horde.co) == 1
            gone = await checked(horde, "GET /generate/check/{id}", 404, f"/generate/check/{accepted['id']}")
            assert gone["rc"] == "RequestNotFound"
            assert (await horde.http.get(link)).status_code == 404
            assert await horde.co.blobs.usage() == 0

    run(main())


def test_a_batch_hands_out_several_jobs_of_one_request(tmp_path: Path) -> None:
    async def main() -> None:
        async with open_horde(tmp_path) as horde:
            key = await horde.worker_key()
            request = IMAGE_REQUEST | {"params": {"n": 4, "width": 256, "height": 256, "seed": "abc"}}
            accepted = await horde.ok("POST", "/generate/async", request, key=ANONYMOUS)
            job = await horde.ok("POST", "/generate/pop", IMAGE_POP | {"amount": 3}, key=key)
            assert len(job["ids"]) == len(job["r2_uploads"]) == job["payload"]["n_iter"] == 3
            assert job["payload"]["seed"] == str(int.from_bytes(b"abc", "little"))
            check = await horde.ok("GET", f"/generate/check/{accepted['id']}")
            assert (check["processing"], check["waiting"]) == (3, 1)
            for job_id in job["ids"]:
                await horde.ok("POST", "/generate/submit", {"id": job_id, "generation": "R2", "seed": 1}, key=key)
            check = await horde.ok("GET", f"/generate/check/{accepted['id']}")
            assert (check["finished"], check["waiting"], check["done"]) == (3, 1, False)

    run(main())


def test_cancelling_answers_the_state_before_and_lets_jobs_in_flight_finish(tmp_path: Path) -> None:
    async def main() -> None:
        async with open_horde(tmp_path) as horde:
            key = await horde.worker_key()
            request = IMAGE_REQUEST | {"params": {"n": 3}}
            accepted = await horde.ok("POST", "/generate/async", request, key=ANONYMOUS)
            job = await horde.ok("POST", "/generate/pop", IMAGE_POP, key=key)
            path = f"/generate/status/{accepted['id']}"
            before = await checked(horde, "DELETE /generate/status/{id}", 200, path)
            assert (before["waiting"], before["processing"]) == (2, 1)
            after = await horde.ok("GET", path)
            assert (after["waiting"], after["processing"], after["done"]) == (0, 1, False)
            await horde.ok("POST", "/generate/submit", {"id": job["id"], "generation": "R2", "seed": 1}, key=key)
            done = await horde.ok("GET", path)
            assert done["done"] and len(done["generations"]) == 1

    run(main())


def test_a_download_link_works_only_as_it_was_given(tmp_path: Path) -> None:
    async def main() -> None:
        async with open_horde(tmp_path) as horde:
            key = await horde.worker_key()
            accepted = await horde.ok("POST", "/generate/async", IMAGE_REQUEST, key=ANONYMOUS)
            job = await horde.ok("POST", "/generate/pop", IMAGE_POP, key=key)
            assert (await horde.http.put(job["r2_upload"], content=b"no picture")).status_code == 400
            assert (await horde.http.put(job["r2_upload"], content=webp())).status_code == 200
            await horde.ok("POST", "/generate/submit", {"id": job["id"], "generation": "R2", "seed": 1}, key=key)
            link = (await horde.ok("GET", f"/generate/status/{accepted['id']}"))["generations"][0]["img"]
            assert (await horde.http.put(link, content=webp())).status_code == 403
            assert (await horde.http.get(job["r2_upload"])).status_code == 403
            assert (await horde.http.get(link.replace("signature=", "signature=A"))).status_code == 403
            assert (await horde.http.head(link)).status_code == 200
            part = await horde.http.get(link, headers={"Range": "bytes=0-3"})
            assert (part.status_code, part.content) == (206, b"RIFF")
            horde.clock.advance(31 * 60)
            expired = await horde.http.get(link)
            assert expired.status_code == 403 and "expired" in expired.json()["message"]
            assert urlsplit(link).path.endswith(f"{job['id']}.webp")

    run(main())


def test_nobody_there_is_said_in_message_and_warning(tmp_path: Path) -> None:
    async def main() -> None:
        async with open_horde(tmp_path) as horde:
            accepted = await checked(horde, "POST /generate/async", 202, "/generate/async", IMAGE_REQUEST, ANONYMOUS)
            assert accepted["message"]
            assert [warning["code"] for warning in accepted["warnings"]] == ["NoAvailableWorker"]

    run(main())


def test_a_dry_run_prices_and_stores_nothing(tmp_path: Path) -> None:
    async def main() -> None:
        async with open_horde(tmp_path) as horde:
            body = IMAGE_REQUEST | {"dry_run": True}
            price = await checked(horde, "POST /generate/async", 200, "/generate/async", body, ANONYMOUS)
            assert price["kudos"] > 1
            refused = await checked(horde, "POST /generate/async", 401, "/generate/async", body, "nobody's key")
            assert refused["rc"] == "InvalidAPIKey"
            assert (await horde.ok("GET", "/status/performance"))["queued_requests"] == 0

    run(main())


def test_a_source_image_reaches_only_workers_that_take_one(tmp_path: Path) -> None:
    async def main() -> None:
        async with open_horde(tmp_path) as horde:
            key = await horde.worker_key()
            source = base64.b64encode(webp("green")).decode()
            body = IMAGE_REQUEST | {"source_image": source, "params": {"denoising_strength": 0.5}}
            await checked(horde, "POST /generate/async", 202, "/generate/async", body, ANONYMOUS)
            nothing = await checked(
                horde, "POST /generate/pop", 200, "/generate/pop", IMAGE_POP | {"allow_img2img": False}, key
            )
            assert nothing["id"] is None and nothing["skipped"]["img2img"] == 1
            job = await checked(horde, "POST /generate/pop", 200, "/generate/pop", IMAGE_POP, key)
            assert job["payload"]["denoising_strength"] == 0.5
            got = await horde.http.get(job["source_image"])
            assert got.content == webp("green")
            bad = IMAGE_REQUEST | {"source_image": "bm8gcGljdHVyZQ=="}
            refused = await checked(horde, "POST /generate/async", 400, "/generate/async", bad, ANONYMOUS)
            assert refused["rc"] == "ImageValidationFailed"

    run(main())
