"""What a coordinator owes every existing worker (worker_protocol.md 7, further duties); a line's words are the test's name."""

from __future__ import annotations

import asyncio

from hordenode.coordinator import janitor
from tests.support.horde import (
    ALCHEMY_POP,
    ALCHEMY_REQUEST,
    IMAGE_POP,
    IMAGE_REQUEST,
    TEXT_POP,
    Horde,
)
from tests.support.journeys import ask, deliver, pop, status
from tests.support.scenario import on_a_horde


@on_a_horde
async def test_keep_default_nsfw_true_and_allow_defaults_as_in_api_json(horde: Horde) -> None:
    key = await horde.worker_key()
    await ask(horde, "image", source_image=ALCHEMY_REQUEST["source_image"], nsfw=True)
    assert (await horde.ok("POST", "/generate/pop", {"name": "lazy", "models": ["model one"]}, key=key))["id"]
    (worker,) = await horde.ok("GET", "/workers")
    shown = {name: worker[name] for name in ("nsfw", "img2img", "painting", "post-processing", "lora", "controlnet")}
    assert shown == {
        "nsfw": True,
        "img2img": True,
        "painting": True,
        "post-processing": True,
        "lora": False,
        "controlnet": False,
    }


@on_a_horde
async def test_accept_unknown_fields_bridge_version_allow_unsafe_ip_allow_extended_controlnet_annotation_types(
    horde: Horde,
) -> None:
    extra = {
        "bridge_version": 23,
        "allow_unsafe_ip": True,
        "allow_extended_controlnet": True,
        "annotation_types": ["canny"],
    }
    key = await horde.worker_key()
    for path, offer in (("/generate", IMAGE_POP), ("/generate/text", TEXT_POP), ("/interrogate", ALCHEMY_POP)):
        await horde.ok("POST", f"{path}/pop", offer | extra, key=key)


@on_a_horde
async def test_do_not_require_client_agent(horde: Horde) -> None:
    key = await horde.worker_key()
    request_id = await ask(horde, "text")
    await deliver(horde, "text", key, await pop(horde, "text", key))
    assert (await status(horde, "text", request_id))["done"]


@on_a_horde
async def test_expect_parallel_pops_of_one_worker_name_and_never_hand_two_workers_the_same_gen(horde: Horde) -> None:
    key = await horde.worker_key()
    await ask(horde, "text", params={"n": 20})
    offers = [TEXT_POP | {"name": f"writer {number % 2}"} for number in range(30)]
    answers = await asyncio.gather(*(horde.ok("POST", "/generate/text/pop", offer, key=key) for offer in offers))
    given = [answer["id"] for answer in answers if answer["id"]]
    assert len(given) == len(set(given)) == 20


@on_a_horde
async def test_treat_a_pop_as_the_only_liveness_signal(horde: Horde) -> None:
    key = await horde.worker_key()
    await ask(horde, "text", params={"n": 2})
    job = await pop(horde, "text", key)
    horde.clock.advance(140)
    await deliver(horde, "text", key, job)  # shows that it works, and is no check-in
    horde.clock.advance(161)
    assert await horde.ok("GET", "/workers") == []
    await pop(horde, "text", key)
    assert len(await horde.ok("GET", "/workers")) == 1


@on_a_horde
async def test_give_back_a_stale_job_after_its_ttl(horde: Horde) -> None:
    key = await horde.worker_key()
    request_id = await ask(horde, "text")
    job = await pop(horde, "text", key)
    horde.clock.advance(job["ttl"])
    assert await janitor.sweep_stale(horde.co) == 0
    horde.clock.advance(1)
    assert await janitor.sweep_stale(horde.co) == 1
    assert (await status(horde, "text", request_id))["waiting"] == 1
    assert (await pop(horde, "text", key))["id"] != job["id"]


@on_a_horde
async def test_fault_sweep_for_batches_regen_reports_a_failed_batch_with_one_submit_for_the_first_id_only(
    horde: Horde,
) -> None:
    key = await horde.worker_key()
    request_id = await ask(horde, "image", params=IMAGE_REQUEST["params"] | {"n": 2})
    job = await pop(horde, "image", key, amount=2)
    body = {"id": job["id"], "generation": "faulted", "seed": 0, "state": "faulted"}
    await horde.ok("POST", "/generate/submit", body, key=key)
    horde.clock.advance(job["ttl"] + 1)
    await janitor.sweep_stale(horde.co)
    found = await status(horde, "image", request_id)
    assert (found["waiting"], found["processing"], found["restarted"]) == (2, 0, 2)
