"""What single programs need beyond the API text, one test per line of the contract (clients.md 4); the line's words are
the test's name. horde-sdk is in
test_lines_sdk.py, alchemy and sources in test_lines_alchemy.py."""

from __future__ import annotations

import base64
import io
import re
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from tests.support.horde import ANONYMOUS, IMAGE_POP, TEXT_REQUEST, Horde
from tests.support.journeys import ask, deliver, pop, served, status
from tests.support.scenario import on_a_horde


def no_nulls(found: dict[str, Any]) -> bool:
    return None not in found.values()


# npm client


@on_a_horde
async def test_npm_uses_x_fields_sends_apikey_only_when_passed_and_its_heartbeat_only_needs_a_2xx(horde: Horde) -> None:
    key = await horde.user()
    masked = await horde.call("GET", "/find_user", key=key, headers={"X-Fields": "username,records{request}"})
    assert set(masked.json()) == {"username", "records"} and set(masked.json()["records"]) == {"request"}
    assert (await horde.call("GET", "/status/heartbeat")).status_code == 200
    refused = await horde.call("POST", "/generate/async", {"params": {"n": 0}}, key=key)
    assert set(refused.json()["errors"]) == {"prompt", "params.n"}


# ArtBot


@on_a_horde
async def test_is_possible_must_not_flap_while_the_own_worker_is_loading_a_model_keep_it_valid_for_300_s(
    horde: Horde,
) -> None:
    worker = await horde.worker_key()
    await pop(horde, "image", worker)
    request_id = await ask(horde, "image")
    for seconds, possible in ((200, True), (99, True), (2, False)):
        horde.clock.advance(seconds)
        assert (await horde.ok("GET", f"/generate/check/{request_id}"))["is_possible"] is possible


@on_a_horde
async def test_artbot_login_find_user_username_worker_ids_sharedkey_ids_kudos_details_records_or_sharedkeys_for_uuid_keys(
    horde: Horde,
) -> None:
    key = await horde.worker_key()
    shared = (await horde.ok("PUT", "/sharedkeys", {}, key=key))["id"]
    await pop(horde, "image", key)
    user = await horde.ok("GET", "/find_user", key=key)
    assert user["username"] and len(user["worker_ids"]) == 1 and user["sharedkey_ids"] == [shared]
    assert user["kudos_details"] and user["records"] and "message" not in user
    assert (await horde.ok("GET", f"/sharedkeys/{shared}"))["id"] == shared


@on_a_horde
async def test_models_list_items_name_count_eta_jobs_performance_queued_type(horde: Horde) -> None:
    await pop(horde, "image", await horde.worker_key())
    await ask(horde, "image")
    (model,) = await horde.ok("GET", "/status/models")
    assert set(model) == {"name", "count", "eta", "jobs", "performance", "queued", "type"} and no_nulls(model)


@on_a_horde
async def test_workers_list_filtered_by_type_image_and_messages_list_must_be_an_array(horde: Horde) -> None:
    worker = await horde.worker_key()
    for kind in ("image", "text"):
        await pop(horde, kind, worker)
    assert [found["name"] for found in await horde.ok("GET", "/workers?type=image")] == ["painter"]
    assert await horde.ok("GET", "/workers/messages", key=worker) == []


@on_a_horde
async def test_artbot_sends_numbers_seed_string_shared_trusted_workers_slow_workers_replacement_filter_allow_downgrade(
    horde: Horde,
) -> None:
    await ask(
        horde,
        "image",
        params={"seed": "5", "steps": 20, "cfg_scale": 7, "width": 512, "height": 512, "n": 1},
        shared=False,
        trusted_workers=False,
        slow_workers=True,
        replacement_filter=True,
        allow_downgrade=True,
        r2=True,
    )


# KoboldAI Lite


@on_a_horde
async def test_kobold_stops_if_message_present_faulted_true_or_is_possible_false_then_reads_text_worker_name_model_kudos(
    horde: Horde,
) -> None:
    worker = await horde.worker_key()
    await pop(horde, "text", worker)
    request_id = await ask(horde, "text")
    polled = await status(horde, "text", request_id)
    assert "message" not in polled and polled["faulted"] is False and polled["is_possible"] is True
    await deliver(horde, "text", worker, await pop(horde, "text", worker))
    done = await status(horde, "text", request_id)
    assert done["done"] and type(done["kudos"]) is float
    assert {"text", "worker_name", "model"} <= set(done["generations"][0])


@on_a_horde
async def test_kobold_cancels_with_delete_without_key(horde: Horde) -> None:
    request_id = await ask(horde, "text")
    await horde.ok("DELETE", f"/generate/text/status/{request_id}")
    assert (await status(horde, "text", request_id))["done"] is True


@on_a_horde
async def test_kobold_sends_params_with_its_own_extra_names_and_lists_of_models_and_workers(horde: Horde) -> None:
    params = {
        "n": 1,
        "max_context_length": 4096,
        "max_length": 200,
        "rep_pen": 1.05,
        "rep_pen_range": 360,
        "rep_pen_slope": 0.7,
        "sampler_order": [6, 0, 1, 3, 4, 2, 5],
        "stop_sequence": ["\nYou:"],
        "use_default_badwordsids": False,
        "min_p": 0,
        "dynatemp_range": 0,
        "dynatemp_exponent": 1,
        "smoothing_factor": 0,
        "banned_tokens": [],
        "genkey": "KCPP1",
        "presence_penalty": 0,
    }
    await ask(horde, "text", params=params, models=["model one"], workers=[])
    job = await pop(horde, "text", await horde.worker_key())
    assert job["payload"]["sampler_order"] == params["sampler_order"] and "genkey" not in job["payload"]


@on_a_horde
async def test_values_beyond_the_schema_bounds_give_a_400_that_it_prints_whole(horde: Horde) -> None:
    answer = await horde.call("POST", "/generate/text/async", TEXT_REQUEST | {"params": {"rep_pen": 5}}, key=ANONYMOUS)
    assert answer.status_code == 400 and "params.rep_pen" in answer.json()["message"]


@on_a_horde
async def test_workers_type_text_every_item_needs_models_performance_tokens_per_second_and_the_rest(
    horde: Horde,
) -> None:
    worker = await horde.worker_key()
    await pop(horde, "text", worker)
    needed = (
        "models performance name id max_length max_context_length trusted maintenance_mode kudos_rewards"
        " requests_fulfilled uptime"
    ).split()
    (found,) = await horde.ok("GET", "/workers?type=text")
    assert set(needed) <= set(found) and isinstance(found["models"], list)
    assert found["performance"] == "No requests fulfilled yet"
    await served(horde, "text", worker)
    (found,) = await horde.ok("GET", "/workers?type=text")
    assert re.fullmatch(r"\d+\.\d tokens per second", found["performance"])


@on_a_horde
async def test_status_models_type_text_and_status_performance_queued_and_count_fields(horde: Horde) -> None:
    await pop(horde, "text", await horde.worker_key())
    (model,) = await horde.ok("GET", "/status/models?type=text")
    assert {"name", "count", "queued", "eta", "performance", "jobs"} <= set(model)
    found = await horde.ok("GET", "/status/performance")
    assert {"queued_text_requests", "queued_tokens", "text_worker_count", "text_thread_count"} <= set(found)


@on_a_horde
async def test_own_workers_via_find_user_worker_ids_then_workers_id_without_key_edits_with_put_deletes_with_delete(
    horde: Horde,
) -> None:
    key = await horde.worker_key()
    await pop(horde, "text", key)
    (worker_id,) = (await horde.ok("GET", "/find_user", key=key))["worker_ids"]
    assert (await horde.ok("GET", f"/workers/{worker_id}"))["name"] == "writer"
    await horde.ok("PUT", f"/workers/{worker_id}", {"maintenance": True}, key=key)
    assert (await horde.ok("GET", f"/workers/{worker_id}"))["maintenance_mode"] is True
    await horde.ok("DELETE", f"/workers/{worker_id}", key=key)
    assert (await horde.call("GET", f"/workers/{worker_id}")).status_code == 404


@on_a_horde
async def test_images_async_with_r2_false_seed_empty_karras_false_params_scheduler_tolerated_img_bare_base64(
    horde: Horde,
) -> None:
    params = {"seed": "", "karras": False, "scheduler": "simple", "width": 256, "height": 256}
    found = await served(horde, "image", await horde.worker_key(), r2=False, params=params)
    data = base64.b64decode(found["generations"][0]["img"], validate=True)
    assert Image.open(io.BytesIO(data)).format == "WEBP"


# AI-Horde-CLI


@on_a_horde
async def test_cli_checks_until_done_then_needs_faulted_generations_with_gen_metadata_list_and_kudos(
    horde: Horde,
) -> None:
    worker = await horde.worker_key()
    request_id = await ask(horde, "image")
    metadata = [{"type": "information", "value": "nsfw"}, {"type": "batch_index", "value": "see_ref", "ref": "0"}]
    await deliver(horde, "image", worker, await pop(horde, "image", worker), gen_metadata=metadata)
    found = await status(horde, "image", request_id)
    assert found["done"] is True and found["faulted"] is False and type(found["kudos"]) is float
    item = found["generations"][0]
    assert {"id", "img", "seed", "model", "worker_id", "worker_name"} <= set(item)
    assert item["gen_metadata"] == metadata
    assert (await served(horde, "text", worker))["generations"][0]["text"]


# Lucid Creations


@on_a_horde
async def test_lucid_decides_url_or_base64_by_the_text_https_anywhere_in_img(horde: Horde) -> None:
    worker = await horde.worker_key()
    link = (await served(horde, "image", worker))["generations"][0]["img"]
    assert link.startswith("http://") and "https" in link
    assert (await horde.http.get(link)).status_code == 200
    inline = (await served(horde, "image", worker, r2=False))["generations"][0]["img"]
    assert not inline.startswith("http")


@on_a_horde
async def test_lucid_sends_shared_workers_empty_models_empty_for_any(horde: Horde) -> None:
    await ask(horde, "image", shared=False, workers=[], models=[])
    assert (await pop(horde, "image", await horde.worker_key()))["id"]


@on_a_horde
async def test_any_404_is_shown_as_a_bad_address_so_what_exists_never_answers_one(horde: Horde) -> None:
    await pop(horde, "image", await horde.worker_key())
    for path in ("/workers?type=image", "/status/models", "/find_user"):
        assert (await horde.call("GET", path, key=ANONYMOUS)).status_code == 200


# Frontpage and status pages


@pytest.mark.parametrize(
    "path",
    "/status/performance /status/models /stats/img/totals /stats/img/models /stats/text/totals /stats/text/models"
    " /workers /teams /users /status/news /documents/terms /documents/privacy /documents/sponsors /styles/image"
    " /styles/text".split(),
)
def test_frontpage_uses_performance_models_stats_workers_teams_users_news_documents_styles(
    tmp_path: Path, path: str
) -> None:
    @on_a_horde
    async def test(horde: Horde) -> None:
        await horde.ok("GET", path)

    test(tmp_path)


@on_a_horde
async def test_team_is_an_object_of_nulls_and_kudos_details_of_workers_may_be_null_inside(horde: Horde) -> None:
    await horde.ok("POST", "/generate/pop", IMAGE_POP, key=await horde.worker_key())
    (found,) = await horde.ok("GET", "/workers")
    assert found["team"] == {"name": None, "id": None}
    assert set(found["kudos_details"]) == {"generated", "uptime"}
