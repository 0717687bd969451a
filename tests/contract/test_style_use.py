"""Requests that name a style: how it is found, what it changes, who pays (contract 13)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.support.horde import ANONYMOUS, IMAGE_POP, TEXT_POP
from tests.support.style_world import IMAGE_STYLE, UNKNOWN, World, scenario


async def image_job(w: World, body: dict[str, Any], key: str = ANONYMOUS) -> dict[str, Any]:
    """What a worker gets for a request."""
    await w.call("POST /generate/async", 202, body, key)
    job: dict[str, Any] = await w.call("POST /generate/pop", 200, IMAGE_POP, w.artist)
    return job


@scenario
async def test_a_style_replaces_models_and_parameters_and_fills_its_prompt(w: World) -> None:
    await w.style()
    asked = {
        "prompt": "a cat {p}###blurry",
        "models": ["another"],
        "params": {"n": 1, "steps": 40, "width": 512, "height": 320, "cfg_scale": 9, "seed": "77"},
        "style": "engraving",
    }
    job = await image_job(w, asked)
    payload = job["payload"]
    assert job["model"] == "model one"
    assert payload["prompt"] == "engraving of a cat {p}, fine lines###blurry"
    assert (payload["ddim_steps"], payload["sampler_name"], payload["cfg_scale"]) == (12, "k_euler", 5.0)
    assert (payload["width"], payload["height"]) == (256, 320)
    assert payload["seed"] == "77"


@pytest.mark.parametrize(
    ("template", "prompt", "expected"),
    [
        ("{p}{np}", "a cat", "a cat"),
        ("{p}{np}", "a cat###", "a cat"),
        ("{p}, {np}", "a cat###a dog", "a cat, ###a dog"),
        ("{p}###ugly {np}", "a cat###a dog", "a cat###ugly a dog"),
        ("{p} {np} {x}", "a cat###a###b", "a cat a###b {x}"),
    ],
)
def test_how_an_image_template_is_filled(tmp_path: Path, template: str, prompt: str, expected: str) -> None:
    @scenario
    async def test(w: World) -> None:
        await w.style(prompt=template)
        assert (await image_job(w, {"prompt": prompt, "style": "engraving"}))["payload"]["prompt"] == expected

    test(tmp_path)


@scenario
async def test_a_text_style_likewise(w: World) -> None:
    await w.style("text")
    asked = {"prompt": "Hello", "params": {"temperature": 2.0, "min_p": 0.1, "max_length": 100}, "style": "pirate"}
    await w.call("POST /generate/text/async", 202, asked, ANONYMOUS)
    payload = (await w.call("POST /generate/text/pop", 200, TEXT_POP, w.artist))["payload"]
    assert payload["prompt"] == "Say it like a pirate: Hello"
    assert (payload["temperature"], payload["top_k"], payload["max_length"], payload["min_p"]) == (0.7, 40, 100, 0.0)


@scenario
async def test_a_text_style_may_say_the_lengths_and_else_they_are_the_requests(w: World) -> None:
    lengths = {"max_length": 200, "max_context_length": 1024}
    style_id = await w.style("text", params={"temperature": 0.5} | lengths)
    asked = {"prompt": "Hello", "params": {"max_length": 100, "max_context_length": 4000}, "style": "pirate"}
    await w.call("POST /generate/text/async", 202, asked, ANONYMOUS)
    payload = (await w.call("POST /generate/text/pop", 200, TEXT_POP, w.artist))["payload"]
    assert {name: payload[name] for name in lengths} == lengths
    shown = await w.call("GET /styles/text/{style_id}", 200, style_id=style_id)
    assert shown["params"] == {"temperature": 0.5}, "the published fields"


@pytest.mark.parametrize(
    "name",
    [
        "{id}",
        "engraving",
        "style::engraving",
        "artist#1::engraving",
        "1::engraving",
        "style::artist#1::engraving",
        "artist#1::style::engraving",
    ],
)
def test_a_style_is_found_by_id_name_and_owner(tmp_path: Path, name: str) -> None:
    @scenario
    async def test(w: World) -> None:
        style_id = await w.style()
        await w.call("POST /generate/async", 202, {"prompt": "p", "style": name.format(id=style_id)}, ANONYMOUS)
        assert (await w.call("GET /styles/image/{style_id}", 200, style_id=style_id))["use_count"] == 1

    test(tmp_path)


@pytest.mark.parametrize(
    "name",
    [
        UNKNOWN,
        "nothing",
        "nobody#99::engraving",
        "visitor#3::engraving",
        "collection::engraving",
        "a::b::engraving",
        "style::a::b::engraving",
        "x" * 22,
    ],
)
def test_an_unknown_style_is_not_found(tmp_path: Path, name: str) -> None:
    @scenario
    async def test(w: World) -> None:
        await w.style()
        for route in ("POST /generate/async", "POST /generate/text/async"):
            await w.refused(route, 404, "StyleNotFound", {"prompt": "p", "style": name}, "x" * 22)

    test(tmp_path)


@scenario
async def test_a_style_of_the_other_kind_is_refused(w: World) -> None:
    await w.style()
    await w.refused("POST /generate/text/async", 400, "BadRequest", {"prompt": "p", "style": "engraving"}, ANONYMOUS)
    await w.style("text", key=w.moderator, name="engraving")
    await w.call("POST /generate/text/async", 202, {"prompt": "p", "style": "engraving"}, ANONYMOUS)


@scenario
async def test_a_collection_gives_one_of_its_styles_and_both_are_counted(w: World) -> None:
    ids = [await w.style(name=f"style {number}", params={"steps": number + 1}) for number in range(3)]
    made = await w.collection(*ids)
    steps = set()
    for name in [made, "gallery", "collection::gallery", "artist#1::gallery"] * 5:
        steps.add((await image_job(w, {"prompt": "p", "style": name}))["payload"]["ddim_steps"])
    assert steps == {1, 2, 3}
    counts = [(await w.call("GET /styles/image/{style_id}", 200, style_id=i))["use_count"] for i in ids]
    assert sum(counts) == 20 == (await w.call("GET /collections/{collection_id}", 200, collection_id=made))["use_count"]
    for style_id in ids:
        await w.call("DELETE /styles/image/{style_id}", 200, key=w.artist, style_id=style_id)
    await w.refused("POST /generate/async", 404, "StyleNotFound", {"prompt": "p", "style": made}, ANONYMOUS)


@scenario
async def test_others_pay_two_kudos_to_the_owner_and_refused_requests_do_not(w: World) -> None:
    await w.style()

    async def owner() -> tuple[float, float, int]:
        shown = await w.call("GET /find_user", 200, key=w.artist)
        return shown["kudos"], shown["kudos_details"]["styled"], shown["records"]["style"]["image"]

    body = {"prompt": "p", "style": "engraving", "params": {"n": 2}}
    before = await owner()
    await w.call("POST /generate/async", 200, body | {"dry_run": True}, ANONYMOUS)
    await w.refused("POST /generate/async", 401, "InvalidAPIKey", body, "x" * 22)
    await w.refused("POST /generate/async", 400, "BadRequest", body | {"webhook": "http://a.b.c"}, ANONYMOUS)
    await w.call("POST /generate/async", 202, body, w.artist)
    assert (await owner())[1:] == before[1:] == (0.0, 0)
    used = await w.call("POST /generate/async", 202, body, ANONYMOUS)
    assert (await owner())[1:] == (2.0, 2)
    assert (await w.call("GET /generate/check/{id}", 200, id=used["id"]))["kudos"] == 3.0
    style = await w.call("GET /styles/image_by_name/{style_name}", 200, style_name="engraving")
    assert style["use_count"] == 2


@scenario
async def test_an_nsfw_style_makes_an_nsfw_request(w: World) -> None:
    await w.style(nsfw=True)
    await w.call("POST /generate/async", 202, {"prompt": "p", "style": "engraving", "nsfw": False}, ANONYMOUS)
    skipped = (await w.call("POST /generate/pop", 200, IMAGE_POP | {"nsfw": False}, w.artist))["skipped"]
    assert skipped["nsfw"] == 1


@scenario
async def test_an_empty_text_prompt_stays_refused(w: World) -> None:
    await w.style("text")
    await w.refused("POST /generate/text/async", 400, "MissingPrompt", {"prompt": "", "style": "pirate"}, ANONYMOUS)


@scenario
async def test_users_show_their_styles_and_only_themselves_the_private_ones(w: World) -> None:
    await w.style()
    await w.style("text", public=False)
    own = await w.call("GET /find_user", 200, key=w.artist)
    assert [(s["name"], s["type"]) for s in own["styles"]] == [("engraving", "image"), ("pirate", "text")]


@scenario
async def test_styles_survive_as_they_were_sent(w: World) -> None:
    style_id = await w.style(name="émail ✨", tags=["ünï"], models=["model/with slash"])
    shown = await w.call("GET /styles/image_by_name/{style_name}", 200, style_name="émail ✨")
    assert (shown["id"], shown["tags"], shown["models"]) == (style_id, ["ünï"], ["model/with slash"])
    assert json.dumps(shown["params"]) == json.dumps({"sampler_name": "k_euler", "width": 256, "steps": 12})


@scenario
async def test_a_styles_shared_key_pays_and_works_in_no_other_way(w: World) -> None:
    key = (await w.call("PUT /sharedkeys", 200, {"kudos": 50, "max_image_steps": 1, "name": "for all"}, w.artist))["id"]
    foreign = (await w.call("PUT /sharedkeys", 200, {"kudos": 50}, w.moderator))["id"]
    await w.refused("POST /styles/image", 403, "Forbidden", IMAGE_STYLE | {"sharedkey": foreign}, w.artist)
    await w.refused("POST /styles/image", 400, "BadRequest", IMAGE_STYLE | {"sharedkey": UNKNOWN}, w.artist)
    style_id = await w.style(sharedkey=key)
    shown = await w.call("GET /styles/image/{style_id}", 200, style_id=style_id)
    assert shown["shared_key"]["id"] == key
    body = {"prompt": "p", "models": ["model one"]}
    for route in ("POST /generate/async", "POST /generate/text/async"):
        await w.refused(route, 403, "SharedKeyAssignedStyles", body, key)
    await w.refused("POST /generate/async", 401, "InvalidAPIKey", body | {"style": "engraving"}, "x" * 22)
    await image_job(w, body | {"style": "engraving"})
    paid = await w.call("GET /sharedkeys/{sharedkey_id}", 200, sharedkey_id=key)
    assert (paid["utilized"], paid["kudos"]) == (1, 49)
    active = await w.call("GET /find_user", 200, key=w.artist)
    assert len(active["active_generations"]["image"]) == 1
    await w.call("DELETE /sharedkeys/{sharedkey_id}", 200, key=w.artist, sharedkey_id=key)
    assert "shared_key" not in await w.call("GET /styles/image/{style_id}", 200, style_id=style_id)
