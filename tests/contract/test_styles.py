"""Styles and collections, kept by their owners (contract 13). Their use: test_style_use.py."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.support.horde import ANONYMOUS
from tests.support.style_world import IMAGE_STYLE, STYLES, TEXT_STYLE, UNKNOWN, World, scenario


@scenario
async def test_a_style_is_made_shown_changed_and_deleted(w: World) -> None:
    style_id = await w.style()
    shown = await w.call("GET /styles/image/{style_id}", 200, style_id=style_id)
    assert {name: shown[name] for name in IMAGE_STYLE} == IMAGE_STYLE
    assert (shown["creator"], shown["use_count"], shown["public"], shown["nsfw"]) == ("artist#1", 0, True, False)
    await w.call("PATCH /styles/image/{style_id}", 200, {"nsfw": True}, w.artist, style_id=style_id)
    changed = await w.call("GET /styles/image/{style_id}", 200, style_id=style_id)
    assert changed == shown | {"nsfw": True}
    patch = {"name": "etching", "tags": [], "models": ["a", "b"], "params": {}, "public": False, "prompt": "{p}-{np}"}
    await w.call("PATCH /styles/image/{style_id}", 200, patch, w.artist, style_id=style_id)
    changed = await w.call("GET /styles/image_by_name/{style_name}", 200, style_name="etching")
    assert {name: changed[name] for name in patch} == patch
    await w.call("DELETE /styles/image/{style_id}", 200, key=w.artist, style_id=style_id)
    await w.refused("GET /styles/image/{style_id}", 404, "Image styleNotFound", style_id=style_id)


@scenario
async def test_a_text_style_is_made_shown_changed_and_deleted(w: World) -> None:
    style_id = await w.style("text")
    shown = await w.call("GET /styles/text/{style_id}", 200, style_id=style_id)
    assert {name: shown[name] for name in TEXT_STYLE} == TEXT_STYLE
    await w.call("PATCH /styles/text/{style_id}", 200, {"info": "Arr."}, w.artist, style_id=style_id)
    changed = await w.call("GET /styles/text_by_name/{style_name}", 200, style_name="artist#1::pirate")
    assert changed == shown | {"info": "Arr."}
    await w.call("DELETE /styles/text/{style_id}", 200, key=w.moderator, style_id=style_id)
    await w.refused("GET /styles/text/{style_id}", 404, "Text styleNotFound", style_id=style_id)


@scenario
async def test_lists_show_public_styles_by_use_or_age_in_pages_of_25(w: World) -> None:
    for number in range(30):
        await w.style(name=f"style {number:02}", tags=[f"tag {number % 2}"], models=[f"model {number % 3}"])
        w.horde.clock.advance(1)
    await w.style(name="hidden", public=False)
    await w.style("text")
    route = "GET /styles/image"
    first = await w.call(route, 200, query="?sort=age")
    second = await w.call(route, 200, query="?sort=age&page=2")
    assert [s["name"] for s in first + second] == [f"style {number:02}" for number in range(30)]
    assert len(first) == 25
    assert [s["name"] for s in await w.call(route, 200, query="?sort=age&tag=tag%201&model=model%202")] == [
        f"style {number:02}" for number in (5, 11, 17, 23, 29)
    ]
    await w.call("POST /generate/async", 202, {"prompt": "a cat", "style": "style 07"}, ANONYMOUS)
    assert (await w.call(route, 200))[0]["name"] == "style 07"
    assert [s["name"] for s in await w.call("GET /styles/text", 200)] == ["pirate"]
    for kind in ("image", "text"):
        for query in ("?sort=odd", "?page=0", "?page=-1", f"?page={2**62}"):
            await w.refused(f"GET /styles/{kind}", 400, "BadRequest", query=query)


@pytest.mark.parametrize("kind", ["image", "text"])
def test_who_may_create_change_and_delete_a_style(tmp_path: Path, kind: str) -> None:
    @scenario
    async def test(w: World) -> None:
        create, body = f"POST /styles/{kind}", STYLES[kind]
        await w.refused(create, 401, "InvalidAPIKey", body, "x" * 22)
        await w.refused(create, 403, "StylesAnonForbidden", body, ANONYMOUS)
        await w.refused(create, 403, "StylesRequiresCustomizer", body, w.visitor)
        style_id = await w.style(kind)
        for method in ("PATCH", "DELETE"):
            route, sent = f"{method} /styles/{kind}/{{style_id}}", {"nsfw": True} if method == "PATCH" else None
            await w.refused(route, 401, "InvalidAPIKey", sent, "x" * 22, style_id=style_id)
            await w.refused(route, 403, "Forbidden", sent, w.visitor, style_id=style_id)
            await w.refused(route, 404, "StyleNotFound", sent, w.artist, style_id=UNKNOWN)
        await w.refused(
            f"DELETE /styles/{kind}/{{style_id}}", 403, "StylesAnonForbidden", None, ANONYMOUS, style_id=style_id
        )
        await w.refused(f"GET /styles/{kind}_by_name/{{style_name}}", 404, "StyleNotFound", style_name="nothing")
        other = "text" if kind == "image" else "image"
        await w.refused(f"GET /styles/{other}/{{style_id}}", 400, "BadRequest", style_id=style_id)
        await w.refused(f"PATCH /styles/{other}/{{style_id}}", 400, "BadRequest", {}, w.artist, style_id=style_id)
        await w.refused(f"GET /styles/{other}_by_name/{{style_name}}", 400, "BadRequest", style_name=body["name"])
        await w.refused(f"DELETE /styles/{other}/{{style_id}}", 404, "StyleNotFound", None, w.artist, style_id=style_id)

    test(tmp_path)


SPECIAL = {"models": ["horde_special"]}
BROKEN: dict[str, list[tuple[str, int, dict[str, Any]]]] = {
    "image": [
        ("BadRequest", 400, {"models": []}),
        ("BadRequest", 400, {"models": list("abcdef")}),
        ("BadRequest", 400, {"tags": [str(n) for n in range(11)]}),
        ("BadRequest", 400, {"prompt": "no place for {p}"}),
        ("BadRequest", 400, {"name": "a::b"}),
        ("BadRequest", 400, {"params": {"special": {"a": 1}}}),
        ("BadCFGDecimals", 400, {"params": {"cfg_scale": 7.123}}),
        ("BadLoraVersion", 400, {"params": {"loras": [{"name": "x", "is_version": True}]}}),
        ("ControlNetMismatch.", 400, {"params": {"workflow": "qr_code"}, "models": ["new [Flux]"]}),
        ("HiResMismatch", 400, {"params": {"hires_fix": True}, "models": ["new [Flux]"]}),
        ("InvalidPromptSize", 400, {"prompt": "{p}{np}" + " word" * 7500}),
        ("InvalidTransparencyModel", 400, {"params": {"transparent": True}, "models": ["new [Flux]"]}),
        ("TooManyLoras", 400, {"params": {"loras": [{"name": str(n)} for n in range(6)]}}),
        ("TooManyTIs", 400, {"params": {"tis": [{"name": str(n)} for n in range(21)]}}),
        ("TooManyUpscalers", 400, {"params": {"post_processing": ["RealESRGAN_x4plus", "NMKD_Siax"]}}),
        ("UnexpectedModelName", 400, {"models": ["GFPGAN"]}),
        ("Forbidden", 403, SPECIAL),
    ],
    "text": [
        ("BadRequest", 400, {"models": []}),
        ("BadRequest", 400, {"prompt": "no place"}),
        ("MissingFullSamplerOrder", 400, {"params": {"sampler_order": [1, 2]}}),
        ("TooManyStopSequences", 400, {"params": {"stop_sequence": [str(n) for n in range(129)]}}),
        ("ExcessiveStopSequence", 400, {"params": {"stop_sequence": ["x" * 2001]}}),
        ("Forbidden", 403, SPECIAL),
    ],
}


@pytest.mark.parametrize("kind", ["image", "text"])
def test_a_style_keeps_the_rules_of_requests(tmp_path: Path, kind: str) -> None:
    @scenario
    async def test(w: World) -> None:
        style_id = await w.style(kind)
        change = f"PATCH /styles/{kind}/{{style_id}}"
        for rc, status, changes in BROKEN[kind]:
            await w.refused(f"POST /styles/{kind}", status, rc, STYLES[kind] | {"name": "new"} | changes, w.artist)
            await w.refused(change, status, rc, changes, w.artist, style_id=style_id)
        await w.refused(f"POST /styles/{kind}", 400, "BadRequest", STYLES[kind], w.artist)
        other = await w.style(kind, name="other")
        await w.refused(change, 400, "BadRequest", {"name": STYLES[kind]["name"]}, w.artist, style_id=other)
        await w.style(kind, key=w.moderator)  # a name is only taken by its own user ([FIX] 25)

    test(tmp_path)


@scenario
async def test_examples_are_at_most_four_https_and_one_of_them_primary(w: World) -> None:
    style_id = await w.style()
    add, one = "POST /styles/image/{style_id}/example", "/styles/image/{style_id}/example/{example_id}"
    ids = [await w.example(style_id, number, primary=number < 3) for number in range(1, 5)]

    async def primaries() -> list[str]:
        shown = await w.call("GET /styles/image/{style_id}", 200, style_id=style_id)
        assert [example["id"] for example in shown["examples"]] == [i for i in ids if i not in gone]
        return [example["id"] for example in shown["examples"] if example["primary"]]

    gone: list[str] = []
    assert await primaries() == [ids[1]]
    body = {"url": "https://example.com/5.webp", "primary": False}
    await w.refused(add, 403, "Forbidden", body, w.artist, style_id=style_id)
    await w.call(f"PATCH {one}", 200, {"primary": True}, w.moderator, style_id=style_id, example_id=ids[3])
    assert await primaries() == [ids[3]]
    await w.call(f"DELETE {one}", 200, key=w.artist, style_id=style_id, example_id=ids[3])
    gone.append(ids[3])
    assert await primaries() == [ids[0]]
    for url in ("http://example.com/5.webp", "https://example.com/1.webp"):
        await w.refused(add, 400, "BadRequest", body | {"url": url}, w.artist, style_id=style_id)
        await w.refused(f"PATCH {one}", 400, "BadRequest", {"url": url}, w.artist, style_id=style_id, example_id=ids[2])
    await w.call(f"PATCH {one}", 200, {"url": body["url"]}, w.artist, style_id=style_id, example_id=ids[2])


@scenario
async def test_who_may_change_examples(w: World) -> None:
    style_id, other = await w.style(), await w.style(name="other")
    example_id = await w.example(style_id)
    add, one = "POST /styles/image/{style_id}/example", "/styles/image/{style_id}/example/{example_id}"
    new = {"url": "https://example.com/2.webp", "primary": False}
    for route, body in ((add, new), (f"PATCH {one}", {"primary": True}), (f"DELETE {one}", None)):
        ids = {"style_id": style_id} if route == add else {"style_id": style_id, "example_id": example_id}
        await w.refused(route, 401, "InvalidAPIKey", body, "x" * 22, **ids)
        await w.refused(route, 403, "Forbidden", body, w.visitor, **ids)
        await w.refused(route, 404, "StyleNotFound", body, w.artist, **ids | {"style_id": UNKNOWN})
        if route != add:
            await w.refused(route, 404, "Style exampleNotFound", body, w.artist, **ids | {"example_id": UNKNOWN})
            await w.refused(route, 400, "BadRequest", body, w.artist, **ids | {"style_id": other})


@scenario
async def test_collections_are_made_shown_changed_and_deleted(w: World) -> None:
    first, second = await w.style(), await w.style(name="etching")
    made = await w.collection(first, "artist#1::etching", first, info="Two of them")
    shown = await w.call("GET /collections/{collection_id}", 200, collection_id=made)
    assert shown == {
        "id": made,
        "name": "gallery",
        "type": "image",
        "info": "Two of them",
        "public": True,
        "styles": [{"name": "engraving", "id": first}, {"name": "etching", "id": second}],
        "use_count": 0,
    }
    change = "PATCH /collections/{collection_id}"
    await w.call(change, 200, {"name": "museum"}, w.artist, collection_id=made)
    await w.call(change, 200, {"styles": ["etching"], "public": False}, w.artist, collection_id=made)
    changed = await w.call("GET /collection_by_name/{collection_name}", 200, collection_name="museum")
    assert changed == shown | {"name": "museum", "public": False, "styles": shown["styles"][1:]}
    assert await w.call("GET /collections", 200) == []
    await w.call("DELETE /collections/{collection_id}", 200, key=w.moderator, collection_id=made)
    await w.refused("GET /collections/{collection_id}", 404, "CollectionNotFound", collection_id=made)
    assert (await w.call("GET /styles/image/{style_id}", 200, style_id=first))["name"] == "engraving"


@scenario
async def test_who_may_make_and_change_collections(w: World) -> None:
    style_id, text = await w.style(), await w.style("text")
    create, body = "POST /collections", {"name": "mine", "styles": [style_id]}
    await w.refused(create, 401, "InvalidAPIKey", body, "x" * 22)
    await w.refused(create, 403, "StylesAnonForbidden", body, ANONYMOUS)
    await w.call(create, 200, body, w.visitor)
    made = await w.collection(style_id)
    wrong: dict[str, Any]
    for wrong in ({"styles": []}, {"styles": ["nothing"]}, {"styles": [style_id, text]}, {"name": "a::b"}):
        await w.refused(create, 400, "BadRequest", {"name": "new", "styles": [style_id]} | wrong, w.artist)
        await w.refused("PATCH /collections/{collection_id}", 400, "BadRequest", wrong, w.artist, collection_id=made)
    await w.refused(create, 400, "BadRequest", {"name": "gallery", "styles": [style_id]}, w.artist)
    for method, sent in (("PATCH", {"public": False}), ("DELETE", None)):
        route = f"{method} /collections/{{collection_id}}"
        await w.refused(route, 401, "InvalidAPIKey", sent, "x" * 22, collection_id=made)
        await w.refused(route, 403, "Forbidden", sent, w.visitor, collection_id=made)
        await w.refused(route, 404, "CollectionNotFound", sent, w.artist, collection_id=UNKNOWN)
    await w.refused("GET /collection_by_name/{collection_name}", 404, "CollectionNotFound", collection_name="odd")


@scenario
async def test_lists_of_collections(w: World) -> None:
    image, text = await w.style(), await w.style("text")
    old = await w.collection(image, name="old")
    w.horde.clock.advance(1)
    new = await w.collection(text, name="new")
    route = "GET /collections"
    assert [c["id"] for c in await w.call(route, 200, query="?sort=age")] == [old, new]
    await w.call("POST /generate/text/async", 202, {"prompt": "Hello", "style": "new"}, ANONYMOUS)
    assert [c["id"] for c in await w.call(route, 200)] == [new, old]
    assert [c["id"] for c in await w.call(route, 200, query="?type=image")] == [old]
    for query in ("?sort=odd", "?type=odd", "?page=0"):
        await w.refused(route, 400, "BadRequest", query=query)
