"""Lines of the contract about people, workers, kudos and the house that no other test names (behaviour.md 2, 10, 11, 15,
16, 18); the line's words are the test's name."""

from __future__ import annotations

import asyncio
from typing import Any

from hordenode.coordinator import janitor
from hordenode.store import suspicions
from tests.support.contract import checked, refused
from tests.support.horde import ALCHEMY_POP, ANONYMOUS, IMAGE_POP, IMAGE_REQUEST, TEXT_POP, TEXT_REQUEST, Horde
from tests.support.journeys import ask, deliver, pop, status
from tests.support.scenario import on_a_horde
from tests.support.style_world import IMAGE_STYLE

TRANSFER = "POST /kudos/transfer"


async def details(horde: Horde, key: str) -> Any:
    return await checked(horde, "GET /find_user", 200, key=key)


# 2 Identities


@on_a_horde
async def test_anonymous_id_0_name_anonymous_key_0000000000_concurrency_500_workers_public(horde: Horde) -> None:
    found = await details(horde, ANONYMOUS)
    assert (found["username"], found["id"], found["concurrency"]) == ("Anonymous#0", 0, 500)
    moderator = await horde.user("moderator", moderator=True)
    for role in ("trusted", "flagged", "service", "education", "customizer", "special", "vpn"):
        await refused(
            horde, "PUT /users/{user_id}", "AnonForbiddenUserMod", {role: True}, key=moderator, user_id="Anonymous%230"
        )


@on_a_horde
async def test_anonymous_suspicion_never_counts(horde: Horde) -> None:
    for _ in range(9):
        await horde.co.db.write(lambda tx: suspicions.add(tx, 0, None, "odd", 0, again=True))
    moderator = await horde.user("moderator", moderator=True)
    seen = await checked(horde, "GET /users/{user_id}", 200, key=moderator, user_id="0")
    assert seen["suspicious"] == 0


@on_a_horde
async def test_active_generations_has_image_and_text_only_when_there_are_any_and_for_anonymous_the_lists_stay_empty(
    horde: Horde,
) -> None:
    key = await horde.user()
    assert (
        "active_generations" not in (await details(horde, key)) or not (await details(horde, key))["active_generations"]
    )
    request_id = await ask(horde, "text", key=key)
    assert (await details(horde, key))["active_generations"] == {"text": [request_id]}
    await ask(horde, "image", key=ANONYMOUS)
    assert not (await details(horde, ANONYMOUS)).get("active_generations")


@on_a_horde
async def test_usage_and_contributions_are_obsolete_always_objects_with_null_members(horde: Horde) -> None:
    found = await details(horde, await horde.user())
    assert set(found["usage"].values()) == set(found["contributions"].values()) == {None}


@on_a_horde
async def test_usage_multiplier_multiplies_the_recorded_usage_things_only_not_kudos(horde: Horde) -> None:
    worker, twin = await horde.worker_key(), await horde.user("twin", kudos_amount=100)
    single = await horde.user("single", kudos_amount=100)
    await horde.change_user(2, usage_multiplier=3000)
    for key in (twin, single):
        await ask(horde, "text", key=key)
        await deliver(horde, "text", worker, await pop(horde, "text", worker))
    first, second = await details(horde, twin), await details(horde, single)
    assert (first["records"]["usage"]["tokens"], second["records"]["usage"]["tokens"]) == (240, 80)
    assert first["kudos"] == second["kudos"]


@on_a_horde
async def test_customizer_may_create_styles(horde: Horde) -> None:
    key = await horde.user("customizer", trusted=False)
    await refused(horde, "POST /styles/image", "StylesRequiresCustomizer", IMAGE_STYLE, key=key)
    await horde.change_user(1, customizer=True)
    await checked(horde, "POST /styles/image", 200, IMAGE_STYLE, key=key)


@on_a_horde
async def test_flagged_generation_allowed_at_priority_minus_100_and_no_transfers_in_or_out(horde: Horde) -> None:
    flagged, other = await horde.user("flagged", kudos_amount=100), await horde.user("other", kudos_amount=100)
    await horde.change_user(1, flagged=True)
    await refused(horde, TRANSFER, "SourceAccountFlagged", {"username": "other#2", "amount": 1}, key=flagged)
    await refused(horde, TRANSFER, "TargetAccountFlagged", {"username": "flagged#1", "amount": 1}, key=other)
    first, second = await ask(horde, "text", key=flagged), await ask(horde, "text", key=other)
    positions = [(await status(horde, "text", each))["queue_position"] for each in (second, first)]
    assert positions == [1, 2]


# 10 Kudos


@on_a_horde
async def test_new_accounts_start_at_0_and_are_lifted_to_the_floor_by_their_first_movement(horde: Horde) -> None:
    key = await horde.user("new")
    assert (await details(horde, key))["kudos"] == 0
    await ask(horde, "text", key=key)
    assert (await details(horde, key))["kudos"] == 25


@on_a_horde
async def test_n_jobs_count_as_n_requests(horde: Horde) -> None:
    key, worker = await horde.user(kudos_amount=100), await horde.worker_key()
    await ask(horde, "text", key=key, params={"n": 3})
    assert (await details(horde, key))["records"]["request"]["text"] == 3
    await deliver(horde, "text", worker, await pop(horde, "text", worker, amount=3))
    assert (await details(horde, worker))["records"]["fulfillment"]["text"] == 3


@on_a_horde
async def test_a_censored_result_costs_the_requester_only_the_tax_the_worker_is_paid_normally(horde: Horde) -> None:
    worker, client = await horde.worker_key(), await horde.user("client", kudos_amount=100)
    await ask(horde, "text", key=client)
    answer = await deliver(horde, "text", worker, await pop(horde, "text", worker), state="censored")
    assert answer["reward"] > 0 and (await details(horde, client))["kudos"] == 98
    await ask(horde, "image", key=client)
    entry = [{"type": "censorship", "value": "nsfw"}]
    answer = await deliver(horde, "image", worker, await pop(horde, "image", worker), gen_metadata=entry)
    assert answer["reward"] > 0 and (await details(horde, client))["kudos"] == 96


@on_a_horde
async def test_untrusted_owner_half_of_each_generation_reward_goes_to_evaluation(horde: Horde) -> None:
    moderator = await horde.user("moderator", moderator=True)
    worker = await horde.user("newcomer", trusted=False, kudos_amount=100)
    await ask(horde, "image")
    reward = (await deliver(horde, "image", worker, await pop(horde, "image", worker)))["reward"]
    seen = await checked(horde, "GET /users/{user_id}", 200, key=moderator, user_id="2")
    assert abs(seen["evaluating_kudos"] - reward / 2) <= 0.001
    assert abs(seen["kudos"] - 100 - reward / 2) <= 0.001


# 11 Workers


@on_a_horde
async def test_performance_text_one_decimal_and_megapixelsteps_tokens_per_second_or_seconds_per_form(
    horde: Horde,
) -> None:
    key = await horde.worker_key()
    for path, offer in (("/generate", IMAGE_POP), ("/generate/text", TEXT_POP), ("/interrogate", ALCHEMY_POP)):
        await horde.ok("POST", f"{path}/pop", offer, key=key)
    assert {worker["performance"] for worker in await horde.ok("GET", "/workers")} == {"No requests fulfilled yet"}
    image, text = await ask(horde, "image"), await ask(horde, "text")
    jobs = [await pop(horde, kind, key) for kind in ("image", "text")]
    horde.clock.advance(2)
    for kind, job in zip(("image", "text"), jobs, strict=True):
        await deliver(horde, kind, key, job)
    assert (await status(horde, "image", image))["done"] and (await status(horde, "text", text))["done"]
    found = {worker["type"]: worker["performance"] for worker in await horde.ok("GET", "/workers")}
    assert found["image"] == "0.7 megapixelsteps per second"  # 256 * 256 * 20 in two seconds
    assert found["text"] == "40.0 tokens per second"


@on_a_horde
async def test_uncompleted_jobs_aborted_total(horde: Horde) -> None:
    key = await horde.worker_key()
    for outcome in ("faulted", "ok", "stale"):
        await ask(horde, "text")
        job = await pop(horde, "text", key)
        if outcome == "stale":
            horde.clock.advance(job["ttl"] + 1)
            await janitor.sweep_stale(horde.co)
        else:
            await deliver(horde, "text", key, job, state=outcome)
    (worker,) = await horde.ok("GET", "/workers")
    assert (worker["uncompleted_jobs"], worker["requests_fulfilled"]) == (2, 1)


@on_a_horde
async def test_details_the_owners_own_key_gives_no_extra(horde: Horde) -> None:
    key = await horde.user()
    await pop(horde, "text", key)
    public, own = await horde.ok("GET", "/workers"), await horde.ok("GET", "/workers", key=key)
    assert public == own and not {"owner", "messages", "paused", "suspicious", "ipaddr", "contact"} & set(own[0])
    await checked(horde, "PUT /users/{user_id}", 200, {"public_workers": True}, key=key, user_id="1")
    assert (await horde.ok("GET", "/workers"))[0]["owner"] == "someone#1"


# 18 Status


@on_a_horde
async def test_past_minute_from_submissions_in_the_last_60_s_only_delivered_ones(horde: Horde) -> None:
    key = await horde.worker_key()
    await ask(horde, "text")
    await deliver(horde, "text", key, await pop(horde, "text", key), state="faulted")
    assert (await horde.ok("GET", "/status/performance"))["past_minute_tokens"] == 0
    await deliver(horde, "text", key, await pop(horde, "text", key))
    assert (await horde.ok("GET", "/status/performance"))["past_minute_tokens"] == 80
    horde.clock.advance(61)
    assert (await horde.ok("GET", "/status/performance"))["past_minute_tokens"] == 0


@on_a_horde
async def test_models_one_entry_per_model_offered_count_threads_not_workers_and_not_in_maintenance(
    horde: Horde,
) -> None:
    key = await horde.worker_key()
    await pop(horde, "text", key, threads=3)
    await pop(horde, "text", key, name="second", threads=2)
    (model,) = await checked(horde, "GET /status/models", 200, query="type=text")
    assert (model["name"], model["count"], model["eta"]) == ("model one", 5, 0)
    worker = await horde.ok("GET", "/workers/name/second")
    await horde.ok("PUT", f"/workers/{worker['id']}", {"maintenance": True}, key=key)
    (model,) = await checked(horde, "GET /status/models", 200, query="type=text")
    assert model["count"] == 3
    assert (await horde.ok("GET", "/status/performance"))["text_thread_count"] == 5  # maintenance included


@on_a_horde
async def test_models_queued_and_jobs_waiting_and_in_flight_eta_10000_without_a_speed(horde: Horde) -> None:
    key = await horde.worker_key()
    await pop(horde, "text", key)
    await ask(horde, "text", params={"n": 3, "max_length": 80})
    await pop(horde, "text", key)
    (model,) = await checked(horde, "GET /status/models", 200, query="type=text")
    assert (model["jobs"], model["queued"], model["eta"]) == (3.0, 240.0, 10_000)


@on_a_horde
async def test_models_known_image_models_that_only_have_waiting_requests_count_0(horde: Horde) -> None:
    await ask(horde, "image", models=["stable_diffusion", "nobody knows this"])
    (model,) = await checked(horde, "GET /status/models", 200)
    assert (model["name"], model["count"], model["jobs"]) == ("stable_diffusion", 0, 1.0)


@on_a_horde
async def test_special_models_hidden_and_only_found_by_name(horde: Horde) -> None:
    key = await horde.user()
    special = "horde_special::someone#1"
    await pop(horde, "image", key, models=["model one", special])
    assert [model["name"] for model in await checked(horde, "GET /status/models", 200)] == ["model one"]
    route, name = "GET /status/models/{model_name}", special.replace("#", "%23")
    assert [model["name"] for model in await checked(horde, route, 200, model_name=name)] == [special]


# 15, 16 Teams and messages


@on_a_horde
async def test_two_teams_of_one_name_made_at_once_are_one_team_and_a_refusal(horde: Horde) -> None:
    key = await horde.user()
    calls = [horde.call("POST", "/teams", {"name": name}, key=key) for name in ("Red", "red", "RED")]
    answers = [answer.json() for answer in await asyncio.gather(*calls)]
    assert sorted(answer.get("rc", "made") for answer in answers) == ["TeamNameAlreadyExists"] * 2 + ["made"]


@on_a_horde
async def test_expiry_of_a_message_default_12_hours_and_50_per_page(horde: Horde) -> None:
    moderator, worker = await horde.user("moderator", moderator=True), await horde.worker_key()
    for number in range(51):
        await horde.ok("POST", "/workers/messages", {"message": f"number {number}"}, key=moderator)
    route = "GET /workers/messages"
    pages = [await checked(horde, route, 200, key=worker, query=f"page={page}") for page in (1, 2)]
    assert [len(page) for page in pages] == [50, 1]
    horde.clock.advance(12 * 3600 - 1)
    assert len((await pop(horde, "text", worker))["messages"]) == 51
    horde.clock.advance(1)
    assert (await pop(horde, "text", worker))["messages"] == []
    assert len(await checked(horde, route, 200, key=worker, query="validity=expired")) == 50


# 14 Shared keys


@on_a_horde
async def test_find_user_with_a_shared_key_answers_the_owner_at_public_level_with_the_keys_name(horde: Horde) -> None:
    key = await horde.user("owner")
    shared = await horde.ok("PUT", "/sharedkeys", {"name": "for friends"}, key=key)
    found = await details(horde, shared["id"])
    assert found["username"] == "owner#1 (Shared Key: for friends)" and "sharedkey_ids" not in found


@on_a_horde
async def test_expiry_0_is_none_on_creation_and_on_patch(horde: Horde) -> None:
    key = await horde.user("owner", kudos_amount=100)
    shared = await horde.ok("PUT", "/sharedkeys", {"expiry": 0}, key=key)
    assert "expiry" not in shared
    await horde.ok("PATCH", f"/sharedkeys/{shared['id']}", {"expiry": 1}, key=key)
    changed = await horde.ok("PATCH", f"/sharedkeys/{shared['id']}", {"expiry": 0}, key=key)
    assert "expiry" not in changed
    horde.clock.advance(2 * 86_400)
    await ask(horde, "text", key=shared["id"])


# 8 Life of a request


@on_a_horde
async def test_third_faulted_gen_faults_the_request_and_others_may_still_finish(horde: Horde) -> None:
    key = await horde.worker_key()
    for kind, request in (("image", IMAGE_REQUEST), ("text", TEXT_REQUEST)):
        request_id = await ask(horde, kind, params=request["params"] | {"n": 4})
        jobs = [await pop(horde, kind, key) for _ in range(4)]
        for job in jobs[:3]:
            path = f"/generate/{'text/' * (kind == 'text')}submit"
            body = {"id": job["id"], "generation": "faulted", "seed": 0, "state": "faulted"}
            await horde.ok("POST", path, body, key=key)
        assert (await status(horde, kind, request_id))["faulted"] is True
        await deliver(horde, kind, key, jobs[3])
        found = await status(horde, kind, request_id)
        assert (found["done"], found["faulted"], found["finished"], found["waiting"]) == (True, True, 1, 0)
        assert (await pop(horde, kind, key))["id"] is None


@on_a_horde
async def test_a_text_id_asked_at_the_image_routes_and_the_reverse_is_404(horde: Horde) -> None:
    text, image = await ask(horde, "text"), await ask(horde, "image")
    for method, path in (("GET", "check"), ("GET", "status"), ("DELETE", "status")):
        await refused(horde, f"{method} /generate/{path}/{{id}}", "RequestNotFound", id=text)
    for method in ("GET", "DELETE"):
        await refused(horde, f"{method} /generate/text/status/{{id}}", "RequestNotFound", id=image)
