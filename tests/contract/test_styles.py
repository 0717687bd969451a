"""Styles and collections: kept by their owners, used by everybody (contract 13)."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from tests.contract.schema import validate
from tests.support.aio import run
from tests.support.horde import ANONYMOUS, IMAGE_POP, TEXT_POP, Horde, open_horde

UNKNOWN = "00000000-0000-4000-8000-000000000000"
IMAGE_STYLE: dict[str, Any] = {
    "name": "engraving",
    "info": "Old book illustrations.",
    "prompt": "engraving of {p}, fine lines{np}",
    "params": {"steps": 12, "sampler_name": "k_euler", "width": 256},
    "models": ["model one"],
    "tags": ["old", "book"],
}
TEXT_STYLE: dict[str, Any] = {
    "name": "pirate",
    "prompt": "Say it like a pirate: {p}{mood}",
    "params": {"temperature": 0.7, "top_k": 40},
    "models": ["model one"],
}
STYLES = {"image": IMAGE_STYLE, "text": TEXT_STYLE}
Scenario = Callable[["World"], Awaitable[None]]


class World:
    """A horde with an artist, a moderator and a visitor."""

    def __init__(self, horde: Horde) -> None:
        self.horde = horde

    async def people(self) -> World:
        self.artist = await self.horde.user("artist")
        self.moderator = await self.horde.user("moderator", moderator=True)
        self.visitor = await self.horde.user("visitor", trusted=False)
        return self

    async def call(
        self, route: str, status: int, body: Any = None, key: str | None = None, query: str = "", **ids: str
    ) -> Any:
        """A call that must be answered with `status`, in the contract's shape."""
        method, _, path = route.partition(" ")
        for name, value in ids.items():
            path = path.replace(f"{{{name}}}", quote(value))
        answer = await self.horde.call(method, path + query, body, key=key)
        assert answer.status_code == status, f"{route}: {answer.status_code} {answer.text[:400]}"
        validate(route, status, answer.json())
        return answer.json()

    async def refused(self, route: str, status: int, rc: str, *args: Any, **kwargs: Any) -> None:
        assert (await self.call(route, status, *args, **kwargs))["rc"] == rc

    async def style(self, kind: str = "image", key: str | None = None, **changes: Any) -> str:
        self.horde.clock.advance(1)
        made = await self.call(f"POST /styles/{kind}", 200, STYLES[kind] | changes, key or self.artist)
        return str(made["id"])

    async def collection(self, *styles: str, **changes: Any) -> str:
        body = {"name": "gallery", "styles": list(styles)} | changes
        return str((await self.call("POST /collections", 200, body, self.artist))["id"])

    async def example(self, style_id: str, number: int = 1, primary: bool = False) -> str:
        self.horde.clock.advance(1)
        body = {"url": f"https://example.com/{number}.webp", "primary": primary}
        made = await self.call("POST /styles/image/{style_id}/example", 200, body, self.artist, style_id=style_id)
        return str(made["id"])


def scenario(test: Callable[[World], Awaitable[None]]) -> Callable[[Path], None]:
    """A test that gets a horde with people in it."""

    def wrapped(tmp_path: Path) -> None:
        async def main() -> None:
            async with open_horde(tmp_path) as horde:
                await test(await World(horde).people())
                assert await horde.ledger_sum() == 0

        run(main())

    wrapped.__name__ = test.__name__
    return wrapped


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
