"""A horde with somebody of each sort, and something of each sort that belongs to somebody."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.support.horde import ANONYMOUS, IMAGE_POP, TEXT_POP, Horde, open_horde

NOBODY = "x" * 22
UNKNOWN = "00000000-0000-4000-8000-000000000000"
REFUSED_WORD = "badword"
# Roles that a user of this name has, beside those it is made with.
ROLES: dict[str, dict[str, bool]] = {
    "flagged": {"flagged": True},
    "service": {"service": True},
    "special": {"special": True},
    "education": {"education": True},
}


@dataclass(frozen=True, slots=True)
class Cast:
    """API keys and ids of users by name.

    things: path parameters for what belongs to `registered` (the team, styles and their collection: to `trusted`), and
    the ids of users as `{name}_id`.
    """

    keys: dict[str, str | None]
    ids: dict[str, int]
    things: dict[str, str]


@dataclass(slots=True)
class People:
    """A horde with them in it. stack: what ends with it."""

    horde: Horde
    cast: Cast
    stack: AsyncExitStack = field(default_factory=AsyncExitStack)

    async def ok(self, who: str, method: str, path: str, body: Any = None) -> Any:
        """The JSON of a call that must succeed."""
        return await self.horde.ok(method, path, body, key=self.cast.keys[who])

    def path(self, template: str, **other: object) -> str:
        """A path with the things that are there, or with others."""
        return template.format(**(self.cast.things | {name: str(value) for name, value in other.items()}))


async def found(folder: Path) -> Cast:
    """Make them all; user 1 is the owner of the horde."""
    async with open_horde(folder) as horde:
        keys: dict[str, str | None] = {
            "none": None,
            "anonymous": ANONYMOUS,
            "nobody": NOBODY,
            "unknown shared key": UNKNOWN,
        }
        made: dict[str, dict[str, Any]] = {
            "admin": {"admin": True, "moderator": True, "concurrency": 500},
            "registered": {"trusted": False},
            "other": {"trusted": False},
            "trusted": {"trusted": True},
            "moderator": {"moderator": True},
            "deleted": {"trusted": False},
            **{name: {"trusted": False} for name in ROLES},
        }
        for name, options in made.items():
            keys[name] = await horde.user(name, kudos_amount=1000, **options)
        ids = {name: (await horde.ok("GET", "/find_user", key=keys[name]))["id"] for name in made}
        people = People(horde, Cast(keys, ids, {}))
        for name, roles in ROLES.items():
            await people.ok("admin", "PUT", f"/users/{ids[name]}", roles)
        await people.ok("deleted", "DELETE", f"/users/{ids['deleted']}")
        people.cast.things.update(await _things(people))
        keys["shared key"] = people.cast.things["sharedkey_id"]
        return people.cast


async def _things(people: People) -> dict[str, str]:
    for pop in (IMAGE_POP, TEXT_POP):
        await people.ok("registered", "POST", f"/generate/{'text/' * (pop is TEXT_POP)}pop", pop)
    worker = await people.horde.ok("GET", f"/workers/name/{IMAGE_POP['name']}")
    message = await people.ok(
        "registered", "POST", "/workers/messages", {"message": "hello", "worker_id": worker["id"]}
    )
    team = await people.ok("trusted", "POST", "/teams", {"name": "first team"})
    shared = await people.ok("registered", "PUT", "/sharedkeys", {"name": "for friends"})
    return {
        **{f"{name}_id": str(user_id) for name, user_id in people.cast.ids.items()},
        **await _styles(people),
        "user_id": str(people.cast.ids["registered"]),
        "worker_id": worker["id"],
        "worker_name": worker["name"],
        "message_id": message["id"],
        "team_id": team["id"],
        "sharedkey_id": shared["id"],
    }


async def _styles(people: People) -> dict[str, str]:
    image = {"models": ["model one"], "prompt": "{p} in oil{np}"}
    ids = {}
    for name, kind, body in (
        ("style", "image", image),
        ("other_style", "image", image),
        ("text_style", "text", {"models": ["model one"], "prompt": "Tell of {p}"}),
    ):
        made = await people.ok("trusted", "POST", f"/styles/{kind}", body | {"name": name})
        ids[f"{name}_id"] = made["id"]
    url = {"url": "https://example.com/a.webp", "primary": True}
    example = await people.ok("trusted", "POST", f"/styles/image/{ids['style_id']}/example", url)
    gathered = {"name": "gallery", "styles": [ids["style_id"], ids["other_style_id"]]}
    collection = await people.ok("trusted", "POST", "/collections", gathered)
    return ids | {
        "style_name": "style",
        "image_style_name": "style",
        "text_style_name": "text_style",
        "example_id": example["id"],
        "collection_id": collection["id"],
        "collection_name": "gallery",
    }


@asynccontextmanager
async def open_people(template: tuple[Path, Cast], folder: Path, **rules: Any) -> AsyncIterator[People]:
    """A copy of the horde that `found` made: quicker than making it again."""
    shutil.copytree(template[0], folder, dirs_exist_ok=True)
    async with (
        open_horde(folder, seed=1, refused_words=(REFUSED_WORD,), **rules) as horde,
        AsyncExitStack() as stack,
    ):
        yield People(horde, template[1], stack)
