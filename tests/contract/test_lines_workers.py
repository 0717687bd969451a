"""What existing workers need of a coordinator, one test per line of the contract (worker_protocol.md 7); the line's words
are the test's name. Alchemists' lines are in test_lines_alchemy.py too."""

from __future__ import annotations

import uuid
from pathlib import Path
from typing import Any

import pytest

from hordenode.coordinator import janitor
from tests.support.horde import (
    ALCHEMY_REQUEST,
    IMAGE_POP,
    IMAGE_REQUEST,
    TEXT_POP,
    TEXT_REQUEST,
    Horde,
)
from tests.support.journeys import ask, deliver, pop, webp
from tests.support.scenario import on_a_horde

REGEN = "AI Horde Worker reGen:10.1.2:https://github.com/Haidra-Org/horde-worker-reGen"
KOBOLD = "KoboldCppEmbedWorker:2:https://github.com/LostRuins/koboldcpp"
TABBY = "TabbyAPI:1:https://github.com/theroyallab/tabbyAPI"
UNKNOWN = "00000000-0000-4000-8000-000000000000"


async def refusal(horde: Horde, method: str, path: str, body: Any, key: str) -> tuple[int, str]:
    """(status, message) of what must be refused."""
    answer = await horde.call(method, path, body, key=key)
    assert answer.status_code >= 400
    return answer.status_code, answer.json()["message"]


async def into_maintenance(horde: Horde, name: str, key: str, **more: Any) -> None:
    worker = await horde.ok("GET", f"/workers/name/{name}")
    await horde.ok("PUT", f"/workers/{worker['id']}", {"maintenance": True} | more, key=key)


# horde-worker-reGen (image) through horde-sdk


@on_a_horde
async def test_regen_recognises_maintenance_mode_in_any_case_on_pop(horde: Horde) -> None:
    key = await horde.worker_key()
    await pop(horde, "image", key)
    for more in ({}, {"maintenance_msg": "gone fishing"}):
        await into_maintenance(horde, "painter", key, **more)
        status_code, message = await refusal(horde, "POST", "/generate/pop", IMAGE_POP, key)
        assert status_code == 403 and "maintenance mode" in message.lower()
        assert more.get("maintenance_msg", "") in message


@on_a_horde
async def test_regen_recognises_we_cannot_accept_workers_serving_in_any_case_on_pop(horde: Horde) -> None:
    for offer in (IMAGE_POP | {"models": []}, {"name": "painter"}):
        status_code, message = await refusal(horde, "POST", "/generate/pop", offer, await horde.worker_key())
        assert status_code == 400 and "we cannot accept workers serving" in message.lower()
    assert await horde.ok("GET", "/workers") == []


@on_a_horde
async def test_regen_recognises_wrong_credentials_in_any_case_on_pop(horde: Horde) -> None:
    await pop(horde, "image", await horde.worker_key())
    status_code, message = await refusal(horde, "POST", "/generate/pop", IMAGE_POP, await horde.user("thief"))
    assert status_code == 403 and "wrong credentials" in message.lower()


@on_a_horde
async def test_regen_recognises_processing_job_with_id_and_does_not_exist_on_submit(horde: Horde) -> None:
    body = {"id": UNKNOWN, "generation": "R2", "seed": 1}
    status_code, message = await refusal(horde, "POST", "/generate/submit", body, await horde.worker_key())
    assert status_code == 404 and "Processing Job with ID" in message and "does not exist" in message


@on_a_horde
async def test_regen_recognises_already_submitted_on_submit(horde: Horde) -> None:
    key = await horde.worker_key()
    await ask(horde, "image")
    job = await pop(horde, "image", key)
    await deliver(horde, "image", key, job)
    body = {"id": job["id"], "generation": "R2", "seed": 1}
    status_code, message = await refusal(horde, "POST", "/generate/submit", body, key)
    assert status_code == 400 and "already submitted" in message


@on_a_horde
async def test_regen_recognises_please_check_your_worker_speed_on_submit(horde: Horde) -> None:
    key = await horde.worker_key()
    await ask(horde, "image")
    job = await pop(horde, "image", key)
    horde.clock.advance(job["ttl"] + 1)
    await janitor.sweep_stale(horde.co)
    body = {"id": job["id"], "generation": "R2", "seed": 1}
    status_code, message = await refusal(horde, "POST", "/generate/submit", body, key)
    assert status_code == 400 and "Please check your worker speed" in message


@on_a_horde
async def test_regen_needs_json_on_every_answer(horde: Horde) -> None:
    key = await horde.worker_key()
    answers = [
        await horde.call("POST", "/generate/pop", IMAGE_POP, key=key),
        await horde.call("POST", "/generate/pop", {}, key=key),
        await horde.call("POST", "/generate/pop", b"{no json", key=key),
        await horde.call("POST", "/generate/pop", IMAGE_POP),
        await horde.call("POST", "/generate/submit", {"id": UNKNOWN, "generation": "R2", "seed": 1}, key=key),
        await horde.call("GET", "/find_user", key="x" * 22),
        await horde.call("GET", "/nowhere", key=key),
        await horde.call("PATCH", "/generate/pop", IMAGE_POP, key=key),
    ]
    assert [answer.status_code for answer in answers] == [200, 400, 400, 400, 404, 404, 404, 405]
    for answer in answers:
        assert answer.headers["content-type"].startswith("application/json") and isinstance(answer.json(), dict)


@on_a_horde
async def test_payload_an_object_and_ids_a_list_and_skipped_an_object_even_without_a_job(horde: Horde) -> None:
    key = await horde.worker_key()
    for kind in ("image", "text"):
        job = await pop(horde, kind, key)
        assert job["id"] is None
        assert (type(job["payload"]), job["ids"], type(job["skipped"])) == (dict, [], dict)


@on_a_horde
async def test_id_a_uuid_or_null_and_source_processing_a_string_never_null(horde: Horde) -> None:
    key = await horde.worker_key()
    assert (await pop(horde, "image", key))["source_processing"]
    await ask(horde, "image")
    job = await pop(horde, "image", key)
    assert str(uuid.UUID(job["id"])) == job["id"] and isinstance(job["source_processing"], str)


@on_a_horde
async def test_r2_upload_non_null_with_a_job_and_r2_uploads_as_long_as_ids(horde: Horde) -> None:
    key = await horde.worker_key()
    await ask(horde, "image", params=IMAGE_REQUEST["params"] | {"n": 3})
    job = await pop(horde, "image", key, amount=3)
    assert len(job["ids"]) == len(job["r2_uploads"]) == 3
    assert job["r2_upload"] == job["r2_uploads"][0]
    for link, job_id in zip(job["r2_uploads"], job["ids"], strict=True):
        assert f"{job_id}.webp" in link


@pytest.mark.parametrize("seed", ["", "0", "12345", "a word", "99999999999999999999", "-7"])
def test_payload_seed_a_string_of_digits(tmp_path: Path, seed: str) -> None:
    @on_a_horde
    async def test(horde: Horde) -> None:
        await ask(horde, "image", params=IMAGE_REQUEST["params"] | {"seed": seed})
        found = (await pop(horde, "image", await horde.worker_key()))["payload"]["seed"]
        assert isinstance(found, str) and found.isdecimal() and int(found) < 2**32

    test(tmp_path)


@on_a_horde
async def test_put_answers_200_exactly_and_again_for_the_same_picture(horde: Horde) -> None:
    await ask(horde, "image")
    job = await pop(horde, "image", await horde.worker_key())
    for headers in ({}, {"Content-Type": "image/webp"}, {"Content-Type": "application/octet-stream"}):
        answer = await horde.http.put(job["r2_upload"], content=webp(), headers=headers)
        assert answer.status_code == 200


@pytest.mark.parametrize(
    "params",
    [
        {},
        {"steps": 1, "n": 20, "width": 64, "height": 3072},
        {"steps": 500, "n": 1, "width": 3072, "height": 64},
        {"control_type": "canny", "steps": 50},
    ],
)
def test_payload_ddim_steps_at_least_1_n_iter_1_to_20_sides_multiples_of_64_between_64_and_3072(
    tmp_path: Path, params: dict[str, Any]
) -> None:
    @on_a_horde
    async def test(horde: Horde) -> None:
        key = await horde.worker_key()
        source = {"source_image": ALCHEMY_REQUEST["source_image"]} if "control_type" in params else {}
        await ask(horde, "image", params=params, key=key, **source)
        job = await pop(horde, "image", key, max_pixels=3072 * 3072, amount=20, allow_controlnet=True)
        payload = job["payload"]
        assert payload["ddim_steps"] >= 1 and 1 <= payload["n_iter"] == len(job["ids"]) <= 20
        for side in ("width", "height"):
            assert 64 <= payload[side] <= 3072 and payload[side] % 64 == 0

    test(tmp_path)


@on_a_horde
async def test_reward_a_number(horde: Horde) -> None:
    key = await horde.worker_key()
    await ask(horde, "image")
    first = await pop(horde, "image", key)
    faulted = {"id": first["id"], "generation": "faulted", "seed": 0, "state": "faulted"}
    assert (await horde.ok("POST", "/generate/submit", faulted, key=key))["reward"] == 0
    reward = (await deliver(horde, "image", key, await pop(horde, "image", key)))["reward"]
    assert type(reward) is float and reward > 0


@on_a_horde
async def test_get_find_user_every_15_s_with_username_kudos_kudos_details_worker_ids(horde: Horde) -> None:
    key = await horde.worker_key()
    await pop(horde, "image", key)
    for _ in range(4):
        user = await horde.ok("GET", "/find_user", key=key)
        assert isinstance(user["username"], str) and type(user["kudos"]) is float
        assert isinstance(user["kudos_details"], dict) and len(user["worker_ids"]) == 1
        horde.clock.advance(15)


@on_a_horde
async def test_regen_agent_and_its_extra_slow_worker_limit_max_steps_allow_sdxl_controlnet(horde: Horde) -> None:
    offer = {
        "bridge_agent": REGEN,
        "extra_slow_worker": False,
        "limit_max_steps": True,
        "allow_sdxl_controlnet": True,
        "allow_lora": True,
        "bridge_version": 23,
    }
    await ask(horde, "image", params=IMAGE_REQUEST["params"] | {"loras": [{"name": "12345"}]})
    assert (await pop(horde, "image", await horde.worker_key(), **offer))["id"]
    assert (await horde.ok("GET", "/workers"))[0]["bridge_agent"] == REGEN


# AI-Horde-Worker (old; scribe and alchemist still used)


@on_a_horde
async def test_old_worker_submit_404_drop_400_drop_and_every_refusal_of_a_pop_has_a_message(horde: Horde) -> None:
    key = await horde.worker_key()
    await ask(horde, "text")
    job = await pop(horde, "text", key)
    body = {"id": job["id"], "generation": "text"}
    await horde.ok("POST", "/generate/text/submit", body, key=key)
    assert (await refusal(horde, "POST", "/generate/text/submit", body, key))[0] == 400
    assert (await refusal(horde, "POST", "/generate/text/submit", body | {"id": UNKNOWN}, key))[0] == 404
    await into_maintenance(horde, "writer", key)
    for offer in (TEXT_POP, {}, TEXT_POP | {"threads": 0}, TEXT_POP | {"priority_usernames": ["me"]}):
        assert (await refusal(horde, "POST", "/generate/text/pop", offer, key))[1]


@on_a_horde
async def test_old_worker_id_falsy_when_no_job_and_payload_with_max_length_max_context_length_prompt(
    horde: Horde,
) -> None:
    key = await horde.worker_key()
    assert not (await pop(horde, "text", key))["id"]
    await ask(horde, "text", params={})
    payload = (await pop(horde, "text", key))["payload"]
    assert (payload["max_length"], payload["max_context_length"]) == (80, 2048)
    assert payload["prompt"] == TEXT_REQUEST["prompt"]


@on_a_horde
async def test_faulted_submit_sends_seed_minus_1_accept_negative_seeds(horde: Horde) -> None:
    key = await horde.worker_key()
    for kind, path in (("image", "/generate/submit"), ("text", "/generate/text/submit")):
        await ask(horde, kind)
        job = await pop(horde, kind, key)
        body = {"id": job["id"], "generation": "faulted", "seed": -1, "state": "faulted"}
        assert await horde.ok("POST", path, body, key=key) == {"reward": 0.0}


@on_a_horde
async def test_old_worker_adds_api_v2_itself_and_sends_nothing_but_apikey_as_header(horde: Horde) -> None:
    key = await horde.worker_key()
    await ask(horde, "text")
    answer = await horde.http.post("/api/v2/generate/text/pop", json=TEXT_POP, headers={"apikey": key})
    assert answer.json()["id"]


# koboldcpp embedded worker


@on_a_horde
async def test_koboldcpp_id_key_always_present_in_a_pop_answer_null_without_job(horde: Horde) -> None:
    answer = await horde.call("POST", "/generate/text/pop", TEXT_POP, key=await horde.worker_key())
    assert answer.status_code == 200 and '"id":null' in answer.text.replace(" ", "")


@on_a_horde
async def test_koboldcpp_payload_passed_to_its_own_generate_api_with_numbers_as_numbers(horde: Horde) -> None:
    params = {"temperature": 1, "top_p": 0.9, "top_k": 40, "rep_pen": 1.1, "rep_pen_range": 256, "max_length": 90}
    await ask(horde, "text", params=params | {"sampler_order": [6, 0, 1, 3, 4, 2, 5], "stop_sequence": ["\n"]})
    payload = (await pop(horde, "text", await horde.worker_key()))["payload"]
    assert {name: payload[name] for name in params} == params
    assert not [name for name in params if isinstance(payload[name], str)]
    assert payload["sampler_order"] == [6, 0, 1, 3, 4, 2, 5] and payload["stop_sequence"] == ["\n"]


@on_a_horde
async def test_koboldcpp_reward_numeric_in_submit(horde: Horde) -> None:
    key = await horde.worker_key()
    await ask(horde, "text")
    reward = (await deliver(horde, "text", key, await pop(horde, "text", key)))["reward"]
    assert type(reward) is float and reward > 0


@pytest.mark.parametrize("agent", [KOBOLD, TABBY])
def test_koboldcpp_and_tabbyapi_send_no_nsfw_field_and_no_amount_and_count_as_validated_backends(
    tmp_path: Path, agent: str
) -> None:
    @on_a_horde
    async def test(horde: Horde) -> None:
        await ask(horde, "text", validated_backends=True, params={"n": 3})
        offer = {
            "name": "embedded",
            "models": ["model one"],
            "max_length": 256,
            "max_context_length": 4096,
            "priority_usernames": [],
            "softprompts": [],
            "bridge_agent": agent,
        }
        key = await horde.worker_key()
        job = await horde.ok("POST", "/generate/text/pop", offer, key=key)
        assert job["id"] and len(job["ids"]) == 1
        (worker,) = await horde.ok("GET", "/workers?type=text")
        assert worker["nsfw"] is True

    test(tmp_path)
