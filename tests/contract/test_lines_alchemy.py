"""What clients and workers need of alchemy and of source images beyond the API text, one test per line of the contract
(clients.md, worker_protocol.md); the line's words are the test's name."""

from __future__ import annotations

import base64
import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from hordenode.coordinator import janitor
from hordenode.domain import forms
from tests.contract.schema import validate, validate_named
from tests.support.aio import run
from tests.support.horde import (
    ALCHEMY_POP,
    ANONYMOUS,
    BASE,
    IMAGE_POP,
    IMAGE_REQUEST,
    RED_PNG,
    Horde,
    open_horde,
)

# Those of the contract.
FORMS, POST_PROCESSORS = forms.FORMS - forms.OWN_FORMS, forms.POST_PROCESSORS - forms.OWN_FORMS
EVERYTHING = ALCHEMY_POP | {"forms": sorted(FORMS), "amount": 100}


async def ask(horde: Horde, *forms: dict[str, Any], source: str = RED_PNG) -> str:
    body = {"source_image": source, "forms": list(forms)}
    return str((await horde.ok("POST", "/interrogate/async", body, key=ANONYMOUS))["id"])


async def pop(horde: Horde, key: str, **change: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = (await horde.ok("POST", "/interrogate/pop", EVERYTHING | change, key=key))["forms"]
    return found


async def status(horde: Horde, alchemy_id: str) -> dict[str, Any]:
    found: dict[str, Any] = await horde.ok("GET", f"/interrogate/status/{alchemy_id}")
    return found


# clients.md


def test_alchemy_pop_form_has_id_and_form_and_payload_r2_upload_source_image_are_optional(tmp_path: Path) -> None:
    async def main() -> None:
        async with open_horde(tmp_path) as horde:
            await ask(horde, *({"name": name} for name in sorted(FORMS)))
            found = await pop(horde, await horde.worker_key())
            assert sorted(form["form"] for form in found) == sorted(FORMS)
            for form in found:
                validate_named("AlchemyPoppedForm", form)
                assert not [name for name, value in form.items() if value is None]

    run(main())


def test_alchemy_status_has_a_known_state_and_forms_whose_result_is_omitted_until_done(tmp_path: Path) -> None:
    async def main() -> None:
        async with open_horde(tmp_path) as horde:
            key = await horde.worker_key()
            alchemy_id = await ask(horde, {"name": "caption"})
            assert "result" not in (await status(horde, alchemy_id))["forms"][0]
            (form,) = await pop(horde, key)
            assert "result" not in (await status(horde, alchemy_id))["forms"][0]
            await horde.ok("POST", "/interrogate/submit", {"id": form["id"], "result": {"caption": "a"}}, key=key)
            done = await status(horde, alchemy_id)
            assert done == {
                "state": "done",
                "forms": [{"form": "caption", "state": "done", "result": {"caption": "a"}}],
            }

    run(main())


def test_captions_any_state_but_processing_or_done_is_treated_as_failure_so_answer_processing_when_a_worker_is_there(
    tmp_path: Path,
) -> None:
    async def main() -> None:
        async with open_horde(tmp_path) as horde:
            key = await horde.worker_key()
            await horde.ok("POST", "/interrogate/pop", EVERYTHING, key=key)
            busy = await ask(horde, {"name": "caption"})
            alchemy_id = await ask(horde, {"name": "caption"}, source=f"{RED_PNG}")
            await pop(horde, key, amount=1)
            for each in (busy, alchemy_id):
                assert (await status(horde, each))["state"] == "processing"

    run(main())


def test_the_command_line_client_checks_until_the_state_is_done_or_faulted(tmp_path: Path) -> None:
    async def main() -> None:
        async with open_horde(tmp_path) as horde:
            key = await horde.worker_key()
            alchemy_id = await ask(horde, {"name": "caption"})
            for _ in range(4):
                assert (await status(horde, alchemy_id))["state"] not in ("done", "faulted")
                (form,) = await pop(horde, key)
                body = {"id": form["id"], "result": {}, "state": "faulted"}
                await horde.ok("POST", "/interrogate/submit", body, key=key)
            assert (await status(horde, alchemy_id))["state"] == "faulted"

    run(main())


def test_the_same_allow_origin_on_source_and_upload_urls(tmp_path: Path) -> None:
    async def main() -> None:
        async with open_horde(tmp_path) as horde:
            await ask(horde, {"name": "GFPGAN"})
            (form,) = await pop(horde, await horde.worker_key())
            assert form["source_image"].startswith(BASE)
            for method, link in (("GET", form["source_image"]), ("PUT", form["r2_upload"])):
                answer = await horde.http.request(method, link, content=webp() if method == "PUT" else None)
                assert (answer.status_code, answer.headers["access-control-allow-origin"]) == (200, "*")

    run(main())


def webp() -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (16, 16), "blue").save(out, "WEBP")
    return out.getvalue()


def test_a_node_may_accept_txt2img_as_no_source(tmp_path: Path) -> None:
    async def main() -> None:
        async with open_horde(tmp_path) as horde:
            body = IMAGE_REQUEST | {"source_processing": "txt2img"}
            await horde.ok("POST", "/generate/async", body, key=ANONYMOUS)
            job = await horde.ok("POST", "/generate/pop", IMAGE_POP, key=await horde.worker_key())
            assert job["source_image"] is None and job["source_processing"] == "img2img"

    run(main())


# worker_protocol.md


def test_200_alchemy_forms_null_is_nothing(tmp_path: Path) -> None:
    async def main() -> None:
        async with open_horde(tmp_path) as horde:
            answer = await horde.call("POST", "/interrogate/pop", ALCHEMY_POP, key=await horde.worker_key())
            assert (answer.status_code, answer.json()["forms"]) == (200, None)

    run(main())


def test_one_process_that_serves_two_types_needs_two_names(tmp_path: Path) -> None:
    async def main() -> None:
        async with open_horde(tmp_path) as horde:
            key = await horde.worker_key()
            await horde.ok("POST", "/generate/pop", IMAGE_POP, key=key)
            refused = await horde.call("POST", "/interrogate/pop", ALCHEMY_POP | {"name": IMAGE_POP["name"]}, key=key)
            assert (refused.status_code, refused.json()["rc"]) == (400, "PolymorphicNameConflict")

    run(main())


def test_offer_name_forms_amount_threads_1_to_100_max_tiles_1_to_256_default_80_priority_usernames_bridge_agent(
    tmp_path: Path,
) -> None:
    async def main() -> None:
        async with open_horde(tmp_path) as horde:
            key = await horde.worker_key()
            offer = {"name": "a", "forms": ["caption"], "amount": 3, "threads": 100, "max_tiles": 256}
            offer |= {"priority_usernames": ["b#1"], "bridge_agent": "AI Horde Worker:24:https://somewhere"}
            await horde.ok("POST", "/interrogate/pop", offer, key=key)
            for wrong in ({"threads": 0}, {"threads": 101}, {"max_tiles": 0}, {"max_tiles": 257}):
                refused = await horde.call("POST", "/interrogate/pop", offer | wrong, key=key)
                assert list(refused.json()["errors"]) == list(wrong)
            out = io.BytesIO()
            Image.new("1", (512 * 9, 512 * 9)).save(out, "PNG")  # 81 tiles
            await ask(horde, {"name": "caption"}, source=base64.b64encode(out.getvalue()).decode())
            assert (await horde.ok("POST", "/interrogate/pop", {"name": "a", "forms": ["caption"]}, key=key))[
                "forms"
            ] is None
            assert (await horde.ok("POST", "/interrogate/pop", offer, key=key))["forms"]

    run(main())


def test_payload_values_arrive_as_strings_even_for_numbers_and_booleans(tmp_path: Path) -> None:
    async def main() -> None:
        async with open_horde(tmp_path) as horde:
            await ask(horde, {"name": "caption", "payload": {"num_beams": 7, "top_p": 0.5, "odd": False, "text": "x"}})
            (form,) = await pop(horde, await horde.worker_key())
            assert form["payload"] == {"num_beams": "7", "top_p": "0.5", "odd": "False", "text": "x"}

    run(main())


def test_r2_upload_is_for_post_processors_only(tmp_path: Path) -> None:
    async def main() -> None:
        async with open_horde(tmp_path) as horde:
            await ask(horde, *({"name": name} for name in sorted(FORMS)))
            found = await pop(horde, await horde.worker_key())
            assert {form["form"] for form in found if "r2_upload" in form} == POST_PROCESSORS

    run(main())


RESULTS: list[tuple[str, Any]] = [
    ("caption", "a red square"),
    ("nsfw", False),
    ("interrogation", {"tags": [{"text": "red", "confidence": 0.9}], "artists": []}),
    ("vectorize", "<svg/>"),
    ("palette", ["#ff0000"]),
    ("describe", {"phash": "00ff", "width": 16}),
    ("aesthetic", 6.5),
]


@pytest.mark.parametrize(("form", "value"), RESULTS)
def test_submit_id_result_keyed_by_the_form_name_and_state(tmp_path: Path, form: str, value: Any) -> None:
    async def main() -> None:
        async with open_horde(tmp_path) as horde:
            key = await horde.worker_key()
            alchemy_id = await ask(horde, {"name": form})
            (job,) = await pop(horde, key)
            body = {"id": job["id"], "result": {form: value}, "state": "ok"}
            assert (await horde.ok("POST", "/interrogate/submit", body, key=key))["reward"] > 0
            assert (await status(horde, alchemy_id))["forms"][0]["result"] == {form: value}

    run(main())


def test_post_processors_upload_the_webp_to_r2_upload_and_submit_the_literal_r2(tmp_path: Path) -> None:
    async def main() -> None:
        async with open_horde(tmp_path) as horde:
            key = await horde.worker_key()
            alchemy_id = await ask(horde, {"name": "strip_background"})
            (form,) = await pop(horde, key)
            assert (await horde.http.put(form["r2_upload"], content=webp())).status_code == 200
            body = {"id": form["id"], "result": {"strip_background": "R2"}, "state": "ok"}
            await horde.ok("POST", "/interrogate/submit", body, key=key)
            link = (await status(horde, alchemy_id))["forms"][0]["result"]["strip_background"]
            assert "https" in link and (await horde.http.get(link)).content == webp()

    run(main())


def test_faulted_state_faulted_result_empty_answers_200_reward_0_and_time_per_form_is_3_minutes(tmp_path: Path) -> None:
    async def main() -> None:
        async with open_horde(tmp_path) as horde:
            key = await horde.worker_key()
            await ask(horde, {"name": "caption"})
            (form,) = await pop(horde, key)
            body = {"id": form["id"], "result": {}, "state": "faulted"}
            answer = await horde.call("POST", "/interrogate/submit", body, key=key)
            assert (answer.status_code, answer.json()) == (200, {"reward": 0.0})
            await pop(horde, key)
            horde.clock.advance(179)
            assert await janitor.sweep_stale(horde.co) == 0
            horde.clock.advance(2)
            assert await janitor.sweep_stale(horde.co) == 1

    run(main())


def test_source_image_answers_head_with_content_length_up_to_5_mb(tmp_path: Path) -> None:
    async def main() -> None:
        async with open_horde(tmp_path) as horde:
            noise = Image.fromarray(np.random.default_rng(3).integers(0, 256, (1500, 1800, 3), np.uint8))
            out = io.BytesIO()
            noise.save(out, "PNG", compress_level=0)
            assert len(out.getvalue()) > 8_000_000
            await ask(horde, {"name": "caption"}, source=base64.b64encode(out.getvalue()).decode())
            (form,) = await pop(horde, await horde.worker_key())
            head = await horde.http.head(form["source_image"])
            assert head.status_code == 200 and 0 < int(head.headers["content-length"]) <= 5 * 2**20
            assert Image.open(io.BytesIO((await horde.http.get(form["source_image"])).content)).size == (1800, 1500)

    run(main())


def test_unknown_form_names_are_ignored_since_newer_sdks_offer_annotation(tmp_path: Path) -> None:
    async def main() -> None:
        async with open_horde(tmp_path) as horde:
            await ask(horde, {"name": "caption"})
            offer = {"name": "new", "forms": ["annotation", "caption"], "annotation_types": ["canny"]}
            answer = await horde.call("POST", "/interrogate/pop", offer, key=await horde.worker_key())
            validate("POST /interrogate/pop", answer.status_code, answer.json())
            assert [form["form"] for form in answer.json()["forms"]] == ["caption"]

    run(main())


def test_sources_are_signed_urls_valid_30_minutes(tmp_path: Path) -> None:
    async def main() -> None:
        async with open_horde(tmp_path) as horde:
            body = IMAGE_REQUEST | {"source_image": RED_PNG, "source_mask": RED_PNG, "source_processing": "inpainting"}
            await horde.ok("POST", "/generate/async", body, key=ANONYMOUS)
            job = await horde.ok("POST", "/generate/pop", IMAGE_POP, key=await horde.worker_key())
            links = [job["source_image"], job["source_mask"]]
            horde.clock.advance(29 * 60)
            assert [(await horde.http.get(link)).status_code for link in links] == [200, 200]
            horde.clock.advance(2 * 60)
            assert [(await horde.http.get(link)).status_code for link in links] == [403, 403]

    run(main())


def test_source_image_null_is_txt2img_whatever_source_processing_says(tmp_path: Path) -> None:
    async def main() -> None:
        async with open_horde(tmp_path) as horde:
            body = IMAGE_REQUEST | {"source_processing": "inpainting"}
            await horde.ok("POST", "/generate/async", body, key=ANONYMOUS)
            offer = IMAGE_POP | {"allow_img2img": False, "allow_painting": False}
            job = await horde.ok("POST", "/generate/pop", offer, key=await horde.worker_key())
            assert job["id"] and job["source_image"] is None and isinstance(job["source_processing"], str)

    run(main())


def test_expect_parallel_pops_of_one_worker_name(tmp_path: Path) -> None:
    import asyncio

    async def main() -> None:
        async with open_horde(tmp_path) as horde:
            key = await horde.worker_key()
            for _ in range(4):
                await ask(horde, {"name": "caption"}, {"name": "palette"})
            pops = [pop(horde, key, amount=2) for _ in range(4)]
            found = [form["id"] for forms in await asyncio.gather(*pops) for form in forms]
            assert len(found) == len(set(found)) == 8

    run(main())
