"""What horde-sdk needs beyond the API text, one test per line of the contract (clients.md 4); the line's words are the
test's name. Other programs: test_lines_programs.py."""

from __future__ import annotations

import uuid
from typing import Any

from tests.contract.schema import API
from tests.support.horde import ANONYMOUS, IMAGE_REQUEST, TEXT_REQUEST, Horde
from tests.support.journeys import ask, deliver, pop, served, status
from tests.support.scenario import on_a_horde

COUNTS = "max_pixels unsafe_ip img2img painting post-processing lora controlnet step_count".split()


def is_uuid(text: Any) -> bool:
    return isinstance(text, str) and len(text) == 36 and str(uuid.UUID(text)) == text


def no_nulls(found: dict[str, Any]) -> bool:
    return None not in found.values()


@on_a_horde
async def test_async_202_id_uuid_kudos_message_absent_or_string_warnings_absent_or_list_of_code_and_message(
    horde: Horde,
) -> None:
    worker = await horde.worker_key()
    for kind, body in (("image", IMAGE_REQUEST), ("text", TEXT_REQUEST)):
        path = f"/generate/{'text/' * (kind == 'text')}async"
        lonely = await horde.ok("POST", path, body, key=ANONYMOUS)
        assert is_uuid(lonely["id"]) and type(lonely["kudos"]) is float and isinstance(lonely["message"], str)
        for warning in lonely.get("warnings", []):
            assert warning["code"] and warning["message"]
        await pop(horde, kind, worker)
        accepted = await horde.ok("POST", path, body, key=ANONYMOUS)
        assert set(accepted) == {"id", "kudos"}


@on_a_horde
async def test_dry_run_200_kudos_and_no_id(horde: Horde) -> None:
    for path, body in (("/generate/async", IMAGE_REQUEST), ("/generate/text/async", TEXT_REQUEST)):
        answer = await horde.call("POST", path, body | {"dry_run": True}, key=ANONYMOUS)
        assert (answer.status_code, set(answer.json())) == (200, {"kudos"})


@on_a_horde
async def test_check_and_status_finished_processing_restarted_waiting_done_wait_time_queue_position_kudos(
    horde: Horde,
) -> None:
    image, text = await ask(horde, "image"), await ask(horde, "text")
    for path in (f"check/{image}", f"status/{image}", f"text/status/{text}"):
        found = await horde.ok("GET", f"/generate/{path}")
        needed = "finished processing restarted waiting done wait_time queue_position kudos faulted is_possible".split()
        assert set(needed) <= set(found) and no_nulls(found)


@on_a_horde
async def test_image_item_id_img_seed_censored_model_state_worker_id_worker_name(horde: Horde) -> None:
    (item,) = (await served(horde, "image", await horde.worker_key()))["generations"]
    assert is_uuid(item["id"]) and is_uuid(item["worker_id"]) and type(item["censored"]) is bool
    assert all(item[name] for name in ("img", "seed", "model", "worker_name"))
    assert item["state"] == "ok" and type(item["seed"]) is str and no_nulls(item)


@on_a_horde
async def test_text_item_model_state_worker_id_worker_name(horde: Horde) -> None:
    (item,) = (await served(horde, "text", await horde.worker_key()))["generations"]
    assert (item["model"], item["state"], item["worker_name"]) == ("model one", "ok", "writer")
    assert is_uuid(item["worker_id"]) and no_nulls(item)


@on_a_horde
async def test_image_pop_ids_payload_skipped_with_counts_never_null_source_processing_string(horde: Horde) -> None:
    worker = await horde.worker_key()
    await ask(horde, "image", params={"width": 2048, "height": 2048})
    for offer in ({"max_pixels": 4096}, {}, {"max_pixels": 2048 * 2048}):
        job = await pop(horde, "image", worker, **offer)
        assert isinstance(job["ids"], list) and isinstance(job["payload"], dict)
        assert isinstance(job["source_processing"], str)
        assert all(type(count) is int and count >= 0 for count in job["skipped"].values())
        assert [name for name in COUNTS if job["skipped"].get(name, 0) is None] == []


@on_a_horde
async def test_text_pop_ids_payload_skipped_object(horde: Horde) -> None:
    worker = await horde.worker_key()
    empty = await pop(horde, "text", worker)
    assert (empty["ids"], type(empty["payload"]), empty["skipped"]) == ([], dict, {})
    await ask(horde, "text")
    job = await pop(horde, "text", worker)
    assert len(job["ids"]) == 1 and isinstance(job["payload"], dict) and isinstance(job["skipped"], dict)


@on_a_horde
async def test_submit_reward(horde: Horde) -> None:
    worker = await horde.worker_key()
    for kind in ("image", "text"):
        await ask(horde, kind)
        assert set(await deliver(horde, kind, worker, await pop(horde, kind, worker))) == {"reward"}


@on_a_horde
async def test_worker_type_name_id_maintenance_mode_bridge_agent_uptime_integer(horde: Horde) -> None:
    worker = await horde.worker_key()
    await pop(horde, "image", worker, bridge_agent="x" * 1000)
    await pop(horde, "text", worker)
    for found in await horde.ok("GET", "/workers"):
        assert found["type"] in ("image", "text", "interrogation") and is_uuid(found["id"])
        assert type(found["maintenance_mode"]) is bool and type(found["uptime"]) is int
        assert len(found["bridge_agent"]) <= 1000 and len(found.get("contact", "long enough")) >= 4


@on_a_horde
async def test_shared_key_kudos_name_limits_username_utilized_id_are_typed_as_present(horde: Horde) -> None:
    key = await horde.user()
    made = await horde.ok("PUT", "/sharedkeys", {"name": "for friends", "kudos": 10}, key=key)
    found = await horde.ok("GET", f"/sharedkeys/{made['id']}")
    assert is_uuid(found["id"]) and isinstance(found["username"], str) and found["name"] == "for friends"
    for name in ("kudos", "utilized", "max_image_pixels", "max_image_steps", "max_text_tokens"):
        assert type(found[name]) is int


@on_a_horde
async def test_stats_totals_text_all_five_periods_as_objects_of_integers_no_nulls(horde: Horde) -> None:
    totals = await horde.ok("GET", "/stats/text/totals")
    assert set(totals) == {"minute", "hour", "day", "month", "total"}
    assert {type(count) for period in totals.values() for count in period.values()} == {int}


@on_a_horde
async def test_filter_id_string_filter_type_10_to_29_regex_user_and_suspicion_parseable_as_integer(
    horde: Horde,
) -> None:
    key = await horde.user("moderator", moderator=True)
    made = await horde.ok("PUT", "/filters", {"regex": "cat", "filter_type": 29}, key=key)
    assert isinstance(made["id"], str) and (made["regex"], made["filter_type"]) == ("cat", 29) and made["user"]
    for kind in (9, 30):
        assert (await horde.call("PUT", "/filters", {"regex": "c", "filter_type": kind}, key=key)).status_code == 400
    assert int((await horde.ok("POST", "/filters", {"prompt": "a cat"}, key=key))["suspicion"]) == 0


@on_a_horde
async def test_heartbeat_version_and_message_string(horde: Horde) -> None:
    found = await horde.ok("GET", "/status/heartbeat")
    assert isinstance(found["version"], str) and found["message"] == "OK"


@on_a_horde
async def test_active_model_type(horde: Horde) -> None:
    worker = await horde.worker_key()
    for kind in ("image", "text"):
        await pop(horde, kind, worker)
        assert [model["type"] for model in await horde.ok("GET", f"/status/models?type={kind}")] == [kind]


@on_a_horde
async def test_team_modify_answer_always_has_id_and_name(horde: Horde) -> None:
    key = await horde.user()
    made = await horde.ok("POST", "/teams", {"name": "red"}, key=key)
    changed = await horde.ok("PATCH", f"/teams/{made['id']}", {"info": "those in red"}, key=key)
    assert (changed["id"], changed["name"]) == (made["id"], "red")


@on_a_horde
async def test_all_sdk_models_refuse_unknown_fields_so_answers_keep_to_the_published_fields(horde: Horde) -> None:
    worker = await horde.worker_key()
    image, text = await ask(horde, "image"), await ask(horde, "text")
    answers = {
        "ImageJob": await pop(horde, "image", worker),
        "TextJob": await pop(horde, "text", worker),
        "ImageStatus": await status(horde, "image", image),
        "TextStatus": await status(horde, "text", text),
        "UserDetails": await horde.ok("GET", "/find_user", key=worker),
        "WorkerDetails": (await horde.ok("GET", "/workers"))[0],
        "HordePerformance": await horde.ok("GET", "/status/performance"),
        "ActiveModel": (await horde.ok("GET", "/status/models"))[0],
        "Heartbeat": await horde.ok("GET", "/status/heartbeat"),
    }
    for name, found in answers.items():
        assert set(found) <= set(API["$defs"][name]["properties"]), name


@on_a_horde
async def test_image_requests_may_send_source_processing_txt2img_which_is_accepted_as_no_source(horde: Horde) -> None:
    await ask(horde, "image", source_processing="txt2img")
    job = await pop(horde, "image", await horde.worker_key())
    assert job["source_image"] is None and isinstance(job["source_processing"], str)
