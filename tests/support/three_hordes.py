"""One horde reached in three ways: as LocalHorde in its process, as HttpHorde on ASGI, and as HttpHorde on a socket."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import httpx
import msgspec
from msgspec.structs import replace

from hordenode.api.route import ApiSettings
from hordenode.client.base import HordeClient
from hordenode.client.http import HttpHorde
from hordenode.coordinator import users
from hordenode.coordinator.local import LOCAL_URL, LocalHorde
from hordenode.protocol.alchemy import AlchemyForm, AlchemyPop, AlchemyRequest
from hordenode.protocol.errors import HordeError
from hordenode.protocol.image import ImageParams, ImagePop, ImageRequest, ImageSubmit
from hordenode.protocol.text import TextParams, TextPop, TextRequest, TextSubmit
from hordenode.server import HttpServer
from hordenode.version import AGENT
from tests.support.aio import run
from tests.support.horde import BASE, RED_PNG, START_MS, Horde, open_horde

WAYS = ("local", "asgi", "socket")
NOBODY_ID, NOBODY_KEY = 987_654, "x" * 22
ANONYMOUS_ID, ANONYMOUS_KEY = 0, "0000000000"
_TURN = re.compile(r',"hordenode":{"messages":\[\],"user":"\d+"}')

T = TypeVar("T")


@dataclass(slots=True)
class World:
    """A horde, and clients of it for anybody. `notes`: what came of each call, as far as it does not depend on the way."""

    horde: Horde
    way: str
    url: str
    notes: list[Any] = field(default_factory=list)
    accounts: dict[str, tuple[int, str]] = field(default_factory=dict)
    _clients: dict[str, HordeClient] = field(default_factory=dict)

    async def of(self, name: str, **options: Any) -> HordeClient:
        """The client of a user of this name, who is made when first named."""
        if name not in self.accounts:
            user, key = await users.create_user(self.horde.co, name, **options)
            self.accounts[name] = (user.id, key)
        if name not in self._clients:
            self._clients[name] = self._client(*self.accounts[name])
        return self._clients[name]

    def _client(self, user_id: int, key: str) -> HordeClient:
        if self.way == "local":
            return LocalHorde(self.horde.co, user_id, AGENT)
        transport = httpx.ASGITransport(app=self.horde.app) if self.way == "asgi" else None
        return HttpHorde(self.url, key, transport=transport)

    async def note(self, call: Awaitable[T]) -> T:
        """Make a call that must succeed, and note its result."""
        result = await call
        self.notes.append(self._plain(result))
        return result

    async def refused(self, call: Awaitable[object]) -> HordeError:
        """Make a call that must be refused, and note how."""
        try:
            result = await call
        except HordeError as error:
            self.notes.append((type(error), error.rc, error.status, self._plain(error.message), error.retry_after))
            return error
        raise AssertionError(f"this was not refused: {result!r:.500}")

    def _plain(self, result: object) -> Any:
        """Without what the way decides: how links begin, and whose turn it is, which only the engine here is told."""
        text = msgspec.json.encode(result if not isinstance(result, bytes) else result.hex()).decode()
        for base in (f"{LOCAL_URL}/", f"{self.url}/"):
            text = text.replace(f'"{base}blobs', '"link:/blobs')
        return msgspec.json.decode(_TURN.sub("", text))

    async def aclose(self) -> None:
        for client in self._clients.values():
            await client.aclose()


@asynccontextmanager
async def open_world(folder: Path, way: str, api: ApiSettings | None) -> AsyncIterator[World]:
    """The same world whatever the way: clock, ids and secrets are the same."""
    async with AsyncExitStack() as stack:
        horde = await stack.enter_async_context(open_horde(folder, now_ms=START_MS, api=api))
        url = BASE
        if way == "socket":
            server = HttpServer(horde.app, "127.0.0.1", 0)
            url = await server.start()
            stack.push_async_callback(server.stop)
        world = World(horde, way, url)
        world.accounts |= {"nobody": (NOBODY_ID, NOBODY_KEY), "anonymous": (ANONYMOUS_ID, ANONYMOUS_KEY)}
        stack.push_async_callback(world.aclose)
        yield world


Story = Callable[[World], Awaitable[None]]


async def told(folder: Path, ways: Iterable[str], story: Story, api: ApiSettings | None = None) -> dict[str, list[Any]]:
    """What a story notes on each way."""
    notes: dict[str, list[Any]] = {}
    for way in ways:
        async with open_world(folder / way, way, api) as world:
            await story(world)
            notes[way] = world.notes
    return notes


UNKNOWN = "00000000-0000-4000-8000-000000000000"
DRAWING, WRITING = ImageParams(width=256, height=256, steps=20), TextParams(max_length=80)
IMAGE = ImageRequest(prompt="a red circle", models=("model one",), params=DRAWING)
TEXT = TextRequest(prompt="Once", models=("model one",), params=WRITING)
ALCHEMY = AlchemyRequest(source_image=RED_PNG, forms=(AlchemyForm(name="caption"), AlchemyForm(name="GFPGAN")))
IMAGE_OFFER = ImagePop(name="painter", models=("model one",), max_pixels=1048576, bridge_agent="test:1:here")
TEXT_OFFER = TextPop(name="writer", models=("model one",), max_length=512, max_context_length=4096)
FORMS_OFFER = AlchemyPop(name="alchemist", forms=("caption", "GFPGAN"), amount=5)


def drawn(job_id: str, **more: Any) -> ImageSubmit:
    return ImageSubmit(id=job_id, generation="R2", seed=7, **more)


def written(job_id: str, **more: Any) -> TextSubmit:
    return TextSubmit(id=job_id, generation="and so on", seed=7, **more)


def same(tmp_path: Path, story: Story) -> None:
    """Tell a story in three ways; what was noted must be the same."""

    async def main() -> None:
        notes = await told(tmp_path, WAYS, story)
        assert notes["local"], "nothing was noted"
        for way in WAYS[1:]:
            assert notes[way] == notes["local"], way

    run(main())


async def popped_image(w: World, **offer: Any) -> Any:
    """A popped picture of a new request, with nothing noted."""
    await (await w.of("asker", concurrency=500)).request_image(IMAGE)
    return await (await w.of("worker")).pop_image(replace(IMAGE_OFFER, **offer))


async def popped_text(w: World) -> Any:
    await (await w.of("asker", concurrency=500)).request_text(TEXT)
    return await (await w.of("worker")).pop_text(TEXT_OFFER)


async def popped_forms(w: World) -> Any:
    await (await w.of("asker", concurrency=500)).request_alchemy(ALCHEMY)
    return await (await w.of("worker")).pop_alchemy(FORMS_OFFER)
