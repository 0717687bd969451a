"""A horde with people who keep styles and use them, and scenarios that happen in it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any
from urllib.parse import quote

from tests.contract.schema import validate
from tests.support.aio import run
from tests.support.horde import Horde, open_horde

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
