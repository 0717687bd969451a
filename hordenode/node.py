"""A node: everything built, started and stopped in order. Read this first.

    settings -> data directory -> store -> blobs -> coordinator -> engine -> HTTP -> background tasks -> workers

`async with Node(settings) as node` gives a running horde without a socket: `node.app` is its ASGI application and
`node.generate_image` / `generate_text` use it directly. `await node.serve()` adds the HTTP server.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any

from hordenode import instruments
from hordenode.api.route import ApiSettings
from hordenode.api.router import Router
from hordenode.api.routes import ROUTES
from hordenode.catalog import load_catalog
from hordenode.config import EngineSettings, Settings
from hordenode.coordinator import filters, house, janitor, retention, statistics, users, watch
from hordenode.coordinator.context import Coordinator
from hordenode.coordinator.line import Line
from hordenode.coordinator.live import News
from hordenode.coordinator.local import LocalHorde
from hordenode.coordinator.monthly import pay_monthly
from hordenode.coordinator.trust import trust_proven
from hordenode.coordinator.webhooks import WebhookSender
from hordenode.crew import LOCAL_PRIORITY, Contributed, Crew, engine_of, make_workers
from hordenode.discovery import Advertiser, advertiser_for
from hordenode.domain.entities import OWNER_ID
from hordenode.embedding import GeneratedImage, GeneratedText, Generator, ImageAsk, TextAsk
from hordenode.engine.engine import Engine
from hordenode.engine.jobs import Progress
from hordenode.opening import DATABASE, OWNER_KEY_FILE, ensure_owner, open_coordinator, prepare_data_dir
from hordenode.ops.events import EventBus, JobProgress, WorkerSeen
from hordenode.ops.supervisor import Periodic, Supervisor
from hordenode.server import HttpServer, on_signals
from hordenode.store.database import Database
from hordenode.store.errors import StoreError
from hordenode.store.lock import DataDirLock, NodeInfo
from hordenode.store.retention import checkpoint
from hordenode.version import AGENT, __version__
from hordenode.worker.results import encode_preview, wire_likelihood
from hordenode.worker.worker import Wiring

log = logging.getLogger("hordenode.node")

FIRST_POP_S = 10


class Node:
    """One private horde. Use as an async context manager."""

    def __init__(self, settings: Settings | None = None) -> None:
        self.settings = settings or Settings()
        self.data_dir = self.settings.data_dir
        self.bus = EventBus()
        self.url = ""
        self.listening = ("", 0)
        self.advertiser: Advertiser | None = None
        self._lock = DataDirLock(self.data_dir)
        self._supervisor = Supervisor(self._service_died)
        self._server: HttpServer | None = None
        self._crew = Crew()
        self._told_to_stop = asyncio.Event()
        self._hurry = asyncio.Event()
        self._db: Database | None = None
        self._engine: Engine | None = None
        self._other_engines: list[Engine] = []

    @property
    def owner_key_file(self) -> Path:
        """Where the owner's API key stands."""
        return self.data_dir / OWNER_KEY_FILE

    async def __aenter__(self) -> Node:
        try:
            await self._start()
        except BaseException:
            await self._stop()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._stop()

    async def _start(self) -> None:
        """Everything up to ready, in order."""
        prepare_data_dir(self.data_dir)
        self._lock.acquire(NodeInfo.here(self.url))
        self.catalog = load_catalog(self.data_dir)
        self.coordinator = await self._open_coordinator()
        await ensure_owner(self.coordinator, self.owner_key_file)
        await janitor.give_back(self.coordinator)
        await janitor.rebuild_line(self.coordinator)
        await statistics.load_sequence(self.coordinator)
        await filters.load_filters(self.coordinator)
        await house.refresh(self.coordinator)
        self.app = Router(ROUTES, self.coordinator, self._api_settings(), self.coordinator.metrics)
        self.local = LocalHorde(self.coordinator, OWNER_ID, AGENT)
        self._generator = Generator(self.local, self.bus)
        instruments.attach(self.coordinator, self._supervisor, self.data_dir / DATABASE)
        for task in self._periodic_tasks():
            self._supervisor.periodic(task)
        self._supervisor.service("webhooks", WebhookSender(self.coordinator).run())
        if self.settings.engine.enabled:
            await self._start_engine()

    async def _stop(self) -> None:
        """The reverse: no new work, running jobs get their grace, then everything is closed."""
        if self._db is not None:
            self.coordinator.stop()
        await self._drain_workers()
        if self._server is not None:
            await self._server.stop()
        await self._supervisor.stop()
        for engine in (*self._other_engines, *([self._engine] if self._engine else [])):
            await engine.close()
        if self._db is not None:
            await self._leave_store()
        self._lock.release()

    async def _leave_store(self) -> None:
        """What only memory knows is stored, if the disk takes it: the next start does without, too."""
        try:
            await janitor.give_back(self.coordinator)
            await janitor.save_presence(self.coordinator)
            await janitor.save_activity(self.coordinator)
            await statistics.count_deliveries(self.coordinator)
        except StoreError as error:
            log.error("the last changes could not be stored: %s", error)
        await self.coordinator.close()

    async def serve(self, on_ready: Callable[[str], None] = lambda url: None) -> None:
        """Listen, call `on_ready` with the address, and return when the node is told to stop (signal or failure).

        Raises PortInUse. The server goes on answering until the node is closed, so that jobs can finish.
        """
        server = self.settings.server
        self._server = HttpServer(self.app, server.host, server.port, self.settings.limits, self.app.common_headers)
        instruments.attach_server(self.coordinator, self._server)
        self.url = await self._server.start()
        self._lock.update(self.url, self._server.address[0])
        self._advertise()
        if self._told_to_stop.is_set():
            return
        on_ready(self.url)
        await self._server.until_stopped()

    def stop(self) -> None:
        """Make `serve` return; a second time, do not wait for running jobs."""
        if self._told_to_stop.is_set():
            self._hurry.set()
        self._told_to_stop.set()
        if self._server is not None:
            self._server.request_stop()

    async def generate_image(
        self, prompt: str, *, progress: Callable[[JobProgress], None] | None = None, **options: Any
    ) -> GeneratedImage:
        """Draw one picture. `options`: the other fields of embedding.ImageAsk (width, height, steps, seed, model, …).

        Raises HordeError for what the horde refuses, GenerationFailed when it gave up.
        """
        return await self._generator.image(ImageAsk(prompt, **options), progress)

    async def generate_text(
        self, prompt: str, *, progress: Callable[[JobProgress], None] | None = None, **options: Any
    ) -> GeneratedText:
        """Continue a text, or with `chat=True` answer it. `options`: the other fields of embedding.TextAsk.

        Raises HordeError for what the horde refuses, GenerationFailed when it gave up.
        """
        return await self._generator.text(TextAsk(prompt, **options), progress)

    async def alchemy(self, form: str, picture: bytes, **options: Any) -> Any:
        """Do something with a picture: `palette`, `describe`, `vectorize`, or what models.toml has a model for.

        A WebP file where the form makes a picture, else a text, number, list or dict. Raises HordeError for what the
        horde refuses, GenerationFailed when nobody can do it.
        """
        return await self._generator.alchemy(form, picture, options)

    async def create_user(self, name: str, **options: Any) -> tuple[str, str]:
        """A new account: (alias, API key). `options`: those of coordinator.users.create_user."""
        user, key = await users.create_user(self.coordinator, name, **options)
        return user.alias, key

    async def _open_coordinator(self) -> Coordinator:
        line = Line(fair=self.settings.queue.order == "fair")
        coordinator = await open_coordinator(
            self.settings, self.catalog, line, self.bus.publish, self._stop_job, self._store_lost
        )
        self._db = coordinator.db
        return coordinator

    def _advertise(self) -> None:
        """In the local network, where others reach this node. What is advertised is in `advertiser`."""
        assert self._server is not None
        self.listening = self._server.address
        self.advertiser = advertiser_for(self.settings.server, self.settings.horde.name, *self.listening)
        if self.advertiser is not None:
            self._supervisor.service("advertiser", self.advertiser.run())

    def _api_settings(self) -> ApiSettings:
        server = self.settings.server
        return ApiSettings(
            node_name=f"{self.settings.horde.name}:{server.port}:{__version__}",
            public_url=server.public_url,
            trusted_proxies=server.trusted_proxies,
            max_body=server.max_body_mb * 2**20,
            limits=self.settings.limits,
            access_log=self.settings.log.requests,
        )

    def _periodic_tasks(self) -> list[Periodic]:
        """All background work of a node (contract 20)."""
        co = self.coordinator
        return [
            Periodic("stale jobs", 15, lambda: janitor.sweep_stale(co)),
            Periodic("expired requests", 60, lambda: janitor.sweep_expired(co)),
            Periodic("expired files", 600, lambda: janitor.sweep_blobs(co)),
            Periodic("statistics", 10, lambda: statistics.count_deliveries(co)),
            Periodic("old statistics", 600, lambda: statistics.prune_slices(co)),
            Periodic("changes by other programs", 2, lambda: janitor.notice_changes(co)),
            Periodic("worker presence", 30, lambda: janitor.save_presence(co)),
            Periodic("last use of keys", 30, lambda: janitor.save_activity(co)),
            Periodic("monthly kudos", 3600, lambda: pay_monthly(co)),
            Periodic("earned trust", 600, lambda: trust_proven(co)),
            Periodic("retention", 3600, lambda: retention.sweep(co)),
            Periodic("checkpoint", 300, lambda: asyncio.to_thread(checkpoint, self.data_dir / DATABASE)),
        ]

    async def _start_engine(self) -> None:
        engine = self._engine = Engine(self.catalog, self.settings.engine)
        await engine.start()
        own, seed = self.settings.worker, self.coordinator.ids.seed
        if own.enabled:
            wiring = Wiring(
                self.local,
                engine,
                seed,
                self._progress,
                priority=LOCAL_PRIORITY,
                metadata=own.metadata,
                preview_every=own.preview_every,
            )
            self._crew.local = make_workers(wiring, engine, own)
        entries = [entry for entry in self.settings.contributions if entry.enabled]
        guard = self.coordinator.guard
        for entry in entries:
            serving = engine if not entry.engine else await self._another_engine(engine_of(entry, self.settings.engine))
            self._crew.others.append(Contributed(entry, serving, seed, self.data_dir, guard=guard))
        with self.bus.subscribe(WorkerSeen) as seen:
            for worker in self._crew:
                self._supervisor.service(f"worker {worker.name}", worker.run())
            for _ in self._crew.local:  # the first request is not told that nobody is there
                await asyncio.wait_for(seen.next(), FIRST_POP_S)

    async def _another_engine(self, settings: EngineSettings) -> Engine:
        """For a [[worker]] that has one of its own."""
        engine = Engine(self.catalog, settings)
        await engine.start()
        self._other_engines.append(engine)
        return engine

    async def _drain_workers(self) -> None:
        self._supervisor.expect_ends()
        tasks = [task for worker in self._crew if (task := self._supervisor.task(f"worker {worker.name}"))]
        await self._crew.drain(tasks, self._hurry, self.settings.shutdown.grace)

    def _progress(self, progress: Progress) -> None:
        preview = encode_preview(progress.preview) if progress.preview is not None else b""
        co = self.coordinator
        logprobs = () if progress.logprobs is None else (wire_likelihood(progress.logprobs),)
        watch.report(co, progress.id, News(progress.step, progress.steps, progress.text, preview, logprobs), here=True)

    def _stop_job(self, job_id: str) -> None:
        self._crew.stop_job(job_id)

    def _store_lost(self) -> None:
        self._service_died("store")

    def _service_died(self, name: str) -> None:
        log.error("the node stops because '%s' ended", name)
        self.stop()


async def run_node(settings: Settings, on_ready: Callable[[Node], None]) -> None:
    """Run a node until SIGINT or SIGTERM; a second one skips the grace of running jobs. What `hordenode up` does."""
    node = Node(settings)
    with on_signals(node.stop):
        async with node:
            await node.serve(lambda url: on_ready(node))
