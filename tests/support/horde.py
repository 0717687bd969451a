"""A horde for tests: the real coordinator on a real SQLite file behind the real API, without a socket and an engine."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import msgspec

from hordenode.api.route import ApiSettings
from hordenode.api.router import Router
from hordenode.api.routes import ROUTES
from hordenode.blobs.files import FileBlobs
from hordenode.blobs.signing import UrlSigner
from hordenode.coordinator import filters, house, janitor, statistics, users
from hordenode.coordinator.changes import Publisher
from hordenode.coordinator.context import Coordinator, Rules
from hordenode.coordinator.line import Line
from hordenode.domain.baselines import Baselines
from hordenode.ops.clock import ManualClock
from hordenode.ops.events import EventBus
from hordenode.ops.ids import SeededIds
from hordenode.ops.metrics import Metrics
from hordenode.store import ledger
from hordenode.store import users as user_rows
from hordenode.store.database import Database
from hordenode.store.migrate import migrate
from hordenode.store.statistics import prepare as prepare_telemetry
from hordenode.store.tx import Statement, Tx

ANONYMOUS = "0000000000"
BASE = "http://horde.test:7001"
START_MS = 1_700_000_000_000
SECRET = b"a secret for tests only, 32 bytes"


@dataclass(slots=True)
class Horde:
    """The parts that tests look at. `stopped`: ids of in-process jobs that were told to stop."""

    co: Coordinator
    clock: ManualClock
    bus: EventBus
    app: Router
    http: httpx.AsyncClient
    stopped: list[str] = field(default_factory=list)

    async def call(
        self, method: str, path: str, body: Any = None, *, key: str | None = None, headers: dict[str, str] | None = None
    ) -> httpx.Response:
        """One API call; `path` without /api/v2."""
        sent = dict(headers or {})
        if key is not None:
            sent["apikey"] = key
        content = None if body is None else body if isinstance(body, bytes) else json.dumps(body).encode()
        if content is not None:
            sent.setdefault("Content-Type", "application/json")
        return await self.http.request(method, f"/api/v2{path}", content=content, headers=sent)

    async def ok(self, method: str, path: str, body: Any = None, *, key: str | None = None) -> Any:
        """The JSON of a call that must succeed."""
        answer = await self.call(method, path, body, key=key)
        assert answer.status_code in (200, 202), f"{method} {path}: {answer.status_code} {answer.text[:500]}"
        return answer.json()

    async def user(self, name: str = "someone", **options: Any) -> str:
        """The key of a new user."""
        _, key = await users.create_user(self.co, name, **options)
        return key

    async def change_user(self, user_id: int, **fields: Any) -> None:
        """Set fields of entities.User directly."""

        def change(tx: Tx) -> None:
            user = user_rows.find(tx, user_id)
            assert user is not None
            user_rows.save(tx, msgspec.structs.replace(user, **fields))

        await self.co.db.write(change)

    async def balance(self, user_id: int) -> float:
        """A user's kudos."""
        return await self.co.db.read(lambda tx: ledger.balance(tx, user_id)) / 1000

    async def worker_key(self) -> str:
        """The key of a new trusted user for workers."""
        return await self.user("worker owner", trusted=True)

    async def rows(self, sql: str) -> list[tuple[Any, ...]]:
        """What a query finds in the store."""
        return await self.co.db.read(lambda tx: tx.all(Statement("test", sql)))

    async def ledger_sum(self) -> int:
        return await self.co.db.read(ledger.total)


@asynccontextmanager
async def open_horde(
    folder: Path,
    *,
    fair: bool = True,
    seed: int = 0,
    api: ApiSettings | None = None,
    now_ms: int = START_MS,
    clock: ManualClock | None = None,
    **rules: Any,
) -> AsyncIterator[Horde]:
    """A horde on `folder`; opening the same folder again (with its clock) continues it."""
    folder.mkdir(parents=True, exist_ok=True)
    migrate(folder / "hordenode.db")
    prepare_telemetry(folder / "telemetry.db")
    clock, bus, line = clock or ManualClock(now_ms), EventBus(), Line(fair=fair)
    forward: list[Any] = []
    metrics = Metrics()
    db = await Database.open(folder / "hordenode.db", publish=lambda event: forward[0](event), metrics=metrics)
    co = Coordinator(
        db=db,
        telemetry=await Database.open(folder / "telemetry.db"),
        clock=clock,
        ids=SeededIds(seed),
        blobs=FileBlobs(folder / "blobs"),
        signer=UrlSigner(SECRET),
        secret=SECRET,
        baselines=Baselines({"stable_diffusion": "stable diffusion 1"}),
        text_sizes={},
        rules=Rules(fair=fair, **rules),
        metrics=metrics,
        line=line,
    )
    app = Router(ROUTES, co, api or ApiSettings(node_name="test:7001:0"), metrics)
    transport = httpx.ASGITransport(app=app)
    stopped: list[str] = []
    co.announce = Publisher(co, bus.publish, stopped.append)
    forward.append(co.announce)
    await janitor.give_back(co)
    await janitor.rebuild_line(co)
    await statistics.load_sequence(co)
    await filters.load_filters(co)
    await house.refresh(co)
    async with httpx.AsyncClient(transport=transport, base_url=BASE) as http:
        try:
            yield Horde(co, clock, bus, app, http, stopped)
        finally:
            await co.close()


IMAGE_REQUEST: dict[str, Any] = {
    "prompt": "a red circle",
    "models": ["model one"],
    "params": {"steps": 20, "width": 256, "height": 256},
}
TEXT_REQUEST: dict[str, Any] = {"prompt": "Once upon a time", "models": ["model one"], "params": {"max_length": 80}}
IMAGE_POP: dict[str, Any] = {
    "name": "painter",
    "models": ["model one"],
    "max_pixels": 1048576,
    "bridge_agent": "test:1:here",
}
# A red picture of 16 x 16 pixels, in one of the formats that clients send.
RED_PNG = "iVBORw0KGgoAAAANSUhEUgAAABAAAAAQCAIAAACQkWg2AAAAFklEQVR42mP4z8BAEmIY1TCqYfhqAACQ+f8B8u7oVwAAAABJRU5ErkJggg=="
ALCHEMY_REQUEST: dict[str, Any] = {"source_image": RED_PNG, "forms": [{"name": "caption"}]}
ALCHEMY_POP: dict[str, Any] = {"name": "alchemist", "forms": ["caption", "palette", "GFPGAN"]}
TEXT_POP: dict[str, Any] = {"name": "writer", "models": ["model one"], "max_length": 512, "max_context_length": 4096}
