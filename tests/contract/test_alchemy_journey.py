"""An alchemy request from POST to results, and each thing that can go wrong on the way (contract 12)."""

from __future__ import annotations

import asyncio
import io
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from hordenode.coordinator import janitor
from hordenode.ops.events import JobDone, JobPopped, RequestDone
from hordenode.store import users as user_rows
from tests.live.test_long_poll import began
from tests.support.aio import run
from tests.support.alchemy import ASYNC, POP, SUBMIT, UNKNOWN, ask, checked, deliver, png, pop, states, status
from tests.support.horde import ALCHEMY_POP, ALCHEMY_REQUEST, ANONYMOUS, BASE, RED_PNG, open_horde


def test_forms_are_handed_out_done_and_shown(tmp_path: Path) -> None:
    async def main() -> None:
        async with open_horde(tmp_path) as horde:
            key = await horde.worker_key()
            assert await checked(horde, "POST", 200, POP, ALCHEMY_POP, key) == {"forms": None, "skipped": {}}
            alchemy_id = await ask(horde, "caption", "palette")
            found = await pop(horde, key, amount=5)
            assert [form["form"] for form in found] == ["caption", "palette"]
            picture = await horde.http.get(found[0]["source_image"])
            assert Image.open(io.BytesIO(picture.content)).convert("RGB").getpixel((3, 3)) == (255, 0, 0)
            assert (await status(horde, alchemy_id))["state"] == "processing"
            assert await deliver(horde, key, found[0], "a red square") == 1
            assert await states(horde, alchemy_id) == ["done", "processing"]
            assert await deliver(horde, key, found[1], [{"color": "#ff0000"}]) == 1
            done = await status(horde, alchemy_id)
            assert done["state"] == "done"
            assert done["forms"][0] == {"form": "caption", "state": "done", "result": {"caption": "a red square"}}
            assert await horde.ledger_sum() == 0

    run(main())


def test_a_post_processed_picture_is_uploaded_and_linked(tmp_path: Path) -> None:
    async def main() -> None:
        async with open_horde(tmp_path) as horde:
            key = await horde.worker_key()
            alchemy_id = await ask(horde, "GFPGAN")
            (form,) = await pop(horde, key)
            out = io.BytesIO()
            Image.new("RGB", (16, 16), "blue").save(out, "WEBP")
            assert (await horde.http.put(form["r2_upload"], content=out.getvalue())).status_code == 200
            assert await deliver(horde, key, form, "R2") == 3
            link = (await status(horde, alchemy_id))["forms"][0]["result"]["GFPGAN"]
            assert link.startswith(BASE) and (await horde.http.get(link)).content == out.getvalue()
            horde.clock.advance(20 * 60 + 1)
            await janitor.sweep_expired(horde.co)
            assert await horde.co.blobs.usage() == 0
            await checked(horde, "GET", 404, f"/interrogate/status/{alchemy_id}")

    run(main())


def test_only_post_processors_get_an_upload_link_and_payloads_become_text(tmp_path: Path) -> None:
    async def main() -> None:
        async with open_horde(tmp_path) as horde:
            key = await horde.worker_key()
            forms = [
                {"name": "caption", "payload": {"num_beams": 7, "top_p": 0.9, "fast": True, "words": ["a"]}},
                {"name": "GFPGAN"},
            ]
            await checked(horde, "POST", 202, ASYNC, ALCHEMY_REQUEST | {"forms": forms}, ANONYMOUS)
            caption, fixed = await pop(horde, key, amount=2)
            assert caption["payload"] == {"num_beams": "7", "top_p": "0.9", "fast": "True", "words": '["a"]'}
            assert "r2_upload" not in caption and "payload" not in fixed and fixed["r2_upload"]

    run(main())


def test_prices_charges_and_records(tmp_path: Path) -> None:
    async def main() -> None:
        async with open_horde(tmp_path) as horde:
            key = await horde.user("worker owner", kudos_amount=100)
            asker = await horde.user("asker", kudos_amount=1000)
            source = png(1024, 600)  # 2 x 2 tiles
            await ask(horde, "interrogation", key=asker, source_image=source)
            await ask(horde, "GFPGAN", key=asker, source_image=source, slow_workers=False)
            for form in await pop(horde, key, forms=["interrogation", "GFPGAN"], amount=2):
                assert await deliver(horde, key, form) == {"interrogation": 3, "GFPGAN": 12}[form["form"]]
            user = await horde.ok("GET", "/find_user", key=asker)
            assert user["kudos"] == 1000 - (3 + 2) - (12 + 1)
            assert user["records"]["request"]["interrogation"] == 2
            owner = await horde.ok("GET", "/find_user", key=key)
            assert owner["kudos"] == 100 + 15 and owner["records"]["fulfillment"]["interrogation"] == 2
            assert await horde.ledger_sum() == 0

    run(main())


def test_a_form_named_twice_counts_once_and_no_forms_are_a_faulted_request(tmp_path: Path) -> None:
    async def main() -> None:
        async with open_horde(tmp_path) as horde:
            forms = [{"name": "caption", "payload": {"first": "1"}}, {"name": "palette"}, {"name": "caption"}]
            twice = await checked(horde, "POST", 202, ASYNC, ALCHEMY_REQUEST | {"forms": forms}, ANONYMOUS)
            assert [form["form"] for form in (await status(horde, twice["id"]))["forms"]] == ["caption", "palette"]
            popped = await pop(horde, await horde.worker_key(), amount=2)
            assert popped[0]["payload"] == {"first": "1"}
            nothing = await ask(horde)
            assert await status(horde, nothing) == {"state": "faulted", "forms": []}
            horde.clock.advance(20 * 60 + 1)
            await checked(horde, "GET", 404, f"/interrogate/status/{nothing}")

    run(main())


def test_a_form_goes_to_those_who_offer_it_and_can_take_its_size(tmp_path: Path) -> None:
    async def main() -> None:
        async with open_horde(tmp_path) as horde:
            key = await horde.worker_key()
            await ask(horde, "palette", source_image=png(1024, 600))
            refusals: tuple[dict[str, Any], ...] = ({"forms": ["caption"]}, {"forms": []}, {"max_tiles": 3})
            for refused in refusals:
                assert await pop(horde, key, **refused) == []
            assert len(await pop(horde, key, max_tiles=4)) == 1
            stranger = await horde.user("untrusted", trusted=False)
            await ask(horde, "palette", trusted_workers=True)
            name = {"name": "another alchemist"}
            nothing = await checked(horde, "POST", 200, POP, ALCHEMY_POP | name, stranger)
            assert nothing == {"forms": None, "skipped": {"untrusted": 1}}
            assert len(await pop(horde, key)) == 1

    run(main())


def test_a_slow_alchemist_gets_only_what_slow_workers_may_do(tmp_path: Path) -> None:
    async def main() -> None:
        async with open_horde(tmp_path) as horde:
            key = await horde.worker_key()
            await ask(horde, "caption")
            (form,) = await pop(horde, key)
            horde.clock.advance(11)
            await deliver(horde, key, form)
            worker = (await horde.ok("GET", "/workers?type=interrogation"))[0]
            assert worker["performance"] == "11.0 seconds per form" and worker["forms"] == ALCHEMY_POP["forms"]
            await ask(horde, "caption", slow_workers=False)
            assert await pop(horde, key) == []
            await ask(horde, "caption")
            assert len(await pop(horde, key)) == 1

    run(main())


def test_the_richer_user_comes_first_and_waiting_gains_nothing(tmp_path: Path) -> None:
    async def main() -> None:
        async with open_horde(tmp_path, fair=False) as horde:
            key = await horde.worker_key()
            poor, rich = await horde.user("poor"), await horde.user("rich", kudos_amount=100)
            await ask(horde, "caption", key=poor, source_image=png(16, 16, "white"))
            horde.clock.advance(10 * 60)
            await ask(horde, "caption", key=rich)
            (form,) = await pop(horde, key)
            source = Image.open(io.BytesIO((await horde.http.get(form["source_image"])).content))
            assert source.convert("RGB").getpixel((0, 0)) == (255, 0, 0)

    run(main())


def test_prioritised_users_come_first(tmp_path: Path) -> None:
    async def main() -> None:
        async with open_horde(tmp_path) as horde:
            key, friend = await horde.worker_key(), await horde.user("friend")
            alias = (await horde.ok("GET", "/find_user", key=friend))["username"]
            first, second = await ask(horde, "caption"), await ask(horde, "caption", key=friend)
            await pop(horde, key, priority_usernames=[alias])
            assert (await states(horde, first), await states(horde, second)) == (["waiting"], ["processing"])

    run(main())


def test_the_fourth_failure_ends_a_form(tmp_path: Path) -> None:
    async def main() -> None:
        async with open_horde(tmp_path) as horde:
            key = await horde.worker_key()
            alchemy_id = await ask(horde, "caption")
            for attempt in range(4):
                (form,) = await pop(horde, key)
                if attempt == 1:  # once by being too slow
                    horde.clock.advance(181)
                    assert await janitor.sweep_stale(horde.co) == 1
                    late = {"id": form["id"], "result": {"caption": "late"}}
                    refused = await checked(horde, "POST", 400, SUBMIT, late, key)
                    assert refused["rc"] == "DuplicateGen" and "already submitted" in refused["message"]
                else:
                    body = {"id": form["id"], "result": {}, "state": "faulted"}
                    assert (await checked(horde, "POST", 200, SUBMIT, body, key))["reward"] == 0
                expected = "faulted" if attempt == 3 else "waiting"
                assert await states(horde, alchemy_id) == [expected]
            assert (await status(horde, alchemy_id))["state"] == "faulted"
            assert await pop(horde, key) == []

    run(main())


def test_cancelling_stops_what_is_not_done_and_still_pays_what_is_in_hand(tmp_path: Path) -> None:
    async def main() -> None:
        async with open_horde(tmp_path) as horde:
            key = await horde.worker_key()
            alchemy_id = await ask(horde, "caption", "palette", "GFPGAN")
            done, held = await pop(horde, key, amount=2)
            await deliver(horde, key, done)
            after = await checked(horde, "DELETE", 200, f"/interrogate/status/{alchemy_id}")
            assert [form["state"] for form in after["forms"]] == ["done", "cancelled", "cancelled"]
            assert after["state"] == "partial"
            assert await pop(horde, key) == []
            assert await deliver(horde, key, held) == 1
            assert await states(horde, alchemy_id) == ["done", "cancelled", "cancelled"]
            gone = await checked(horde, "DELETE", 404, f"/interrogate/status/{UNKNOWN}")
            assert gone["rc"] == "RequestNotFound"

    run(main())


def test_a_request_lives_twenty_minutes_from_the_last_sign_of_any_form(tmp_path: Path) -> None:
    async def main() -> None:
        async with open_horde(tmp_path) as horde:
            key = await horde.worker_key()
            alchemy_id = await ask(horde, "caption", "palette")
            (first,) = await pop(horde, key)
            await deliver(horde, key, first)
            for _ in range(2):
                horde.clock.advance(15 * 60)
                await janitor.sweep_stale(horde.co)
                await janitor.sweep_expired(horde.co)
                await pop(horde, key)
            assert await states(horde, alchemy_id) == ["done", "processing"]
            horde.clock.advance(21 * 60)
            await janitor.sweep_expired(horde.co)
            await checked(horde, "GET", 404, f"/interrogate/status/{alchemy_id}")
            assert (await horde.ok("GET", "/status/performance"))["queued_forms"] == 0

    run(main())


def test_waiting_forms_count_against_ten_times_the_concurrency(tmp_path: Path) -> None:
    async def main() -> None:
        async with open_horde(tmp_path) as horde:
            worker, key = await horde.worker_key(), await horde.user(concurrency=1)
            for _ in range(4):
                await ask(horde, "caption", "palette", key=key)
            await pop(horde, worker, amount=3)  # those in hand count too
            body = ALCHEMY_REQUEST | {"forms": [{"name": "caption"}, {"name": "palette"}, {"name": "nsfw"}]}
            refused = await checked(horde, "POST", 429, ASYNC, body, key)
            assert refused["rc"] == "TooManyPrompts"
            await ask(horde, "caption", "palette", key=key)
            assert (await horde.ok("GET", "/status/performance"))["queued_forms"] == 10

    run(main())


@pytest.mark.parametrize(
    ("change", "key", "status_code", "rc"),
    [
        ({}, "nobody's key", 401, "InvalidAPIKey"),
        ({"webhook": "http://insecure.example"}, ANONYMOUS, 400, "BadRequest"),
        ({"source_image": "bm8gcGljdHVyZQ=="}, ANONYMOUS, 400, "ImageValidationFailed"),
        ({"source_image": png(16383, 4097)}, ANONYMOUS, 400, "SourceImageResolutionExceeded"),
        ({"source_image": "http://127.0.0.1:1/a.png"}, ANONYMOUS, 400, "SourceImageUnreadable"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_bad_requests_answer_their_code(
    tmp_path: Path, change: dict[str, Any], key: str, status_code: int, rc: str
) -> None:
    async def main() -> None:
        async with open_horde(tmp_path) as horde:
            refused = await checked(horde, "POST", status_code, ASYNC, ALCHEMY_REQUEST | change, key)
            assert refused["rc"] == rc
            assert await horde.co.blobs.usage() == 0

    run(main())


def test_an_unknown_form_is_a_validation_error_in_a_request_and_ignored_in_a_pop(tmp_path: Path) -> None:
    async def main() -> None:
        async with open_horde(tmp_path) as horde:
            body = ALCHEMY_REQUEST | {"forms": [{"name": "annotation"}]}
            refused = await checked(horde, "POST", 400, ASYNC, body, ANONYMOUS)
            assert list(refused["errors"]) == ["forms.0.name"]
            await ask(horde, "caption")
            assert len(await pop(horde, await horde.worker_key(), forms=["annotation", "caption"])) == 1

    run(main())


def test_nobody_there_is_said_in_the_message_and_known_workers_make_it_processing(tmp_path: Path) -> None:
    async def main() -> None:
        async with open_horde(tmp_path) as horde:
            accepted = await checked(horde, "POST", 202, ASYNC, ALCHEMY_REQUEST, ANONYMOUS)
            assert accepted["message"] and (await status(horde, accepted["id"]))["state"] == "waiting"
            await pop(horde, await horde.worker_key())
            accepted = await checked(horde, "POST", 202, ASYNC, ALCHEMY_REQUEST, ANONYMOUS)
            assert "message" not in accepted
            found = await status(horde, accepted["id"])
            assert found == {"state": "processing", "forms": [{"form": "caption", "state": "waiting"}]}

    run(main())


def test_requests_survive_a_restart(tmp_path: Path) -> None:
    async def main() -> None:
        async with open_horde(tmp_path) as horde:
            key, asker = await horde.worker_key(), await horde.user("asker")
            alchemy_id = await ask(horde, "caption", "palette", key=asker)
            (form,) = await pop(horde, key)
        async with open_horde(tmp_path, seed=1) as horde:
            await deliver(horde, key, form, "later")
            (form,) = await pop(horde, key)
            await deliver(horde, key, form, ["#ff0000"])
            assert (await status(horde, alchemy_id))["state"] == "done"
            assert (await horde.co.db.read(lambda tx: user_rows.find(tx, 0))) is not None

    run(main())


def test_the_source_is_a_signed_link_that_expires(tmp_path: Path) -> None:
    async def main() -> None:
        async with open_horde(tmp_path) as horde:
            await ask(horde, "caption", source_image=RED_PNG)
            (form,) = await pop(horde, await horde.worker_key())
            head = await horde.http.head(form["source_image"])
            assert head.status_code == 200 and int(head.headers["content-length"]) < 5 * 2**20
            horde.clock.advance(31 * 60)
            assert (await horde.http.get(form["source_image"])).status_code == 403

    run(main())


def test_status_waits_for_the_next_change_and_events_name_the_request(tmp_path: Path) -> None:
    async def main() -> None:
        async with open_horde(tmp_path) as horde:
            key = await horde.worker_key()
            alchemy_id = await ask(horde, "caption")
            with horde.bus.subscribe(JobPopped, JobDone, RequestDone) as events:
                waiting = asyncio.create_task(checked(horde, "GET", 200, f"/interrogate/status/{alchemy_id}?wait=50"))
                await began(waiting, lambda: horde.co.doorbell.listeners(alchemy_id))
                (form,) = await pop(horde, key)
                assert (await waiting)["forms"][0]["state"] == "processing"
                await deliver(horde, key, form)
                popped, delivered, done = [await events.next() for _ in range(3)]
                assert isinstance(popped, JobPopped) and popped.request_id == alchemy_id
                assert isinstance(delivered, JobDone) and delivered.request_id == alchemy_id
                assert isinstance(done, RequestDone) and done.id == alchemy_id
            at_once = await checked(horde, "GET", 200, f"/interrogate/status/{alchemy_id}?wait=50")
            assert at_once["state"] == "done"

    run(main())
