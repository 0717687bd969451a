"""A node: everything built, started and stopped in order. Read this first.

    settings -> data directory -> store -> blobs -> coordinator -> engine -> HTTP -> background tasks -> workers

`async with Node(settings) as node` gives a running horde without a socket: `node.app` is its ASGI application and
`node.generate_image` / `generate_text` use it directly. `await node.serve()` adds the HTTP server.
"""

from __future__ import annotations

import asyncio
import logging
import os
import secrets
import socket
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from types import TracebackType
from typing import Any

from hordenode.api.route import ApiSettings
from hordenode.api.router import Router
from hordenode.api.routes import ROUTES
from hordenode.blobs.files import FileBlobs
from hordenode.blobs.signing import UrlSigner
from hordenode.catalog import Catalog, load_catalog
from hordenode.client.guard import Guard, NotANetwork, parse_networks
from hordenode.config import ConfigError, OutgoingSettings, Settings
from hordenode.coordinator import house, janitor, users
from hordenode.coordinator.changes import Publisher
from hordenode.coordinator.context import Coordinator, Rules
from hordenode.coordinator.line import Line
from hordenode.coordinator.local import LocalHorde
from hordenode.coordinator.webhooks import WebhookSender
from hordenode.domain.baselines import Baselines
from hordenode.domain.entities import OWNER_ID, User
from hordenode.embedding import GeneratedImage, GeneratedText, Generator, ImageAsk, TextAsk
from hordenode.engine.engine import Engine
from hordenode.engine.jobs import Progress
from hordenode.ops.clock import SystemClock
from hordenode.ops.events import EventBus, JobProgress, WorkerSeen
from hordenode.ops.ids import RandomIds
from hordenode.ops.supervisor import Periodic, Supervisor
from hordenode.server import HttpServer, on_signals
from hordenode.store import users as user_rows
from hordenode.store.database import Database
from hordenode.store.lock import DataDirLock, NodeInfo
from hordenode.store.migrate import migrate
from hordenode.version import AGENT, __version__
from hordenode.worker.image import ImageWorker
from hordenode.worker.offers import image_offer, text_offer
from hordenode.worker.text import TextWorker
from hordenode.worker.worker import Wiring, Worker

log = logging.getLogger("hordenode.node")

DATABASE = "hordenode.db"
SECRET_FILE = "secret.key"
OWNER_KEY_FILE = "owner.key"
OWNER_NAME = "owner"
LOCAL_PRIORITY = 0
FIRST_POP_S = 10


class Node:
    """One private horde. Use as an async context manager."""

    def __init__(self, settings: Settings | None = None) -> None:
        self.settings = settings or Settings()
        self.data_dir = self.settings.data_dir
        self.bus = EventBus()
        self.url = ""
        self._lock = DataDirLock(self.data_dir)
        self._supervisor = Supervisor(self._service_died)
        self._server: HttpServer | None = None
        self._workers: list[Worker[Any, Any]] = []
        self._told_to_stop = asyncio.Event()
        self._hurry = asyncio.Event()
        self._db: Database | None = None
        self._engine: Engine | None = None

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
        await house.refresh(self.coordinator)
        self.app = Router(ROUTES, self.coordinator, self._api_settings())
        self.local = LocalHorde(self.coordinator, OWNER_ID, AGENT)
        self._generator = Generator(self.local, self.bus)
        for task in self._periodic_tasks():
            self._supervisor.periodic(task)
        self._supervisor.service("webhooks", WebhookSender(self.coordinator).run())
        if self.settings.engine.enabled:
            await self._start_engine()

    async def _stop(self) -> None:
        """The reverse: no new work, running jobs get their grace, then everything is closed."""
        if self._db is not None:
            self.coordinator.stopping = True
        await self._drain_workers()
        if self._server is not None:
            await self._server.stop()
        await self._supervisor.stop()
        if self._engine is not None:
            await self._engine.close()
        if self._db is not None:
            await janitor.give_back(self.coordinator)
            await janitor.save_presence(self.coordinator)
            await self._db.close()
        self._lock.release()

    async def serve(self, on_ready: Callable[[str], None] = lambda url: None) -> None:
        """Listen, call `on_ready` with the address, and return when the node is told to stop (signal or failure).

        Raises PortInUse. The server goes on answering until the node is closed, so that jobs can finish.
        """
        server = self.settings.server
        self._server = HttpServer(self.app, server.host, server.port)
        self.url = await self._server.start()
        self._lock.update(self.url)
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
        """Continue a text. `options`: the other fields of embedding.TextAsk (max_length, temperature, model, …).

        Raises HordeError for what the horde refuses, GenerationFailed when it gave up.
        """
        return await self._generator.text(TextAsk(prompt, **options), progress)

    async def create_user(self, name: str, **options: Any) -> tuple[str, str]:
        """A new account: (alias, API key). `options`: those of Admin.create_user."""
        return await Admin(self.coordinator).create_user(name, **options)

    async def _open_coordinator(self) -> Coordinator:
        line = Line(fair=self.settings.queue.order == "fair")
        coordinator = await open_coordinator(self.settings, self.catalog, line, self.bus.publish, self._stop_job)
        self._db = coordinator.db
        return coordinator

    def _api_settings(self) -> ApiSettings:
        server = self.settings.server
        return ApiSettings(
            node_name=f"{self.settings.horde.name}:{server.port}:{__version__}",
            public_url=server.public_url,
            trusted_proxies=server.trusted_proxies,
            max_body=server.max_body_mb * 2**20,
        )

    def _periodic_tasks(self) -> list[Periodic]:
        """All background work of a node (contract 20)."""
        co = self.coordinator
        return [
            Periodic("stale jobs", 15, lambda: janitor.sweep_stale(co)),
            Periodic("expired requests", 60, lambda: janitor.sweep_expired(co)),
            Periodic("expired files", 600, lambda: janitor.sweep_blobs(co)),
            Periodic("changes by other programs", 2, lambda: janitor.notice_changes(co)),
            Periodic("worker presence", 30, lambda: janitor.save_presence(co)),
        ]

    async def _start_engine(self) -> None:
        self._engine = Engine(self.catalog, self.settings.engine)
        await self._engine.start()
        if self.settings.worker.enabled:
            self._workers = self._make_workers(self._engine)
        with self.bus.subscribe(WorkerSeen) as seen:
            for worker in self._workers:
                self._supervisor.service(f"worker {worker.name}", worker.run())
            for _ in self._workers:  # the first request is not told that nobody is there
                await asyncio.wait_for(seen.next(), FIRST_POP_S)

    def _make_workers(self, engine: Engine) -> list[Worker[Any, Any]]:
        """One worker per kind that the engine can serve."""
        settings = self.settings.worker
        wiring = Wiring(
            self.local,
            engine,
            self.coordinator.ids.seed,
            self._progress,
            priority=LOCAL_PRIORITY,
            metadata=settings.metadata,
            preview_every=settings.preview_every,
        )
        name = settings.name or socket.gethostname() or "hordenode"
        found: list[Worker[Any, Any]] = []
        image = image_offer(engine.models(), settings, f"{name} images", AGENT)
        text = text_offer(engine.models(), settings, f"{name} texts", AGENT)
        if image is not None:
            found.append(ImageWorker(wiring, image))
        if text is not None:
            found.append(TextWorker(wiring, text))
        return found

    async def _drain_workers(self) -> None:
        """Workers finish what they hold within the grace time, then give it up."""
        self._supervisor.expect_ends()
        for worker in self._workers:
            worker.stop()
        tasks = [task for worker in self._workers if (task := self._supervisor.task(f"worker {worker.name}"))]
        if not tasks:
            return
        hurry: asyncio.Future[Any] = asyncio.ensure_future(self._hurry.wait())
        finished: asyncio.Future[Any] = asyncio.gather(*tasks, return_exceptions=True)
        await asyncio.wait({hurry, finished}, timeout=self.settings.shutdown.grace, return_when=asyncio.FIRST_COMPLETED)
        hurry.cancel()
        for worker in self._workers:
            worker.abandon()
        finished.cancel()

    def _progress(self, progress: Progress) -> None:
        self.bus.publish(JobProgress(progress.id, progress.step, progress.steps, progress.text))

    def _stop_job(self, job_id: str) -> None:
        for worker in self._workers:
            worker.stop_job(job_id)

    def _service_died(self, name: str) -> None:
        log.error("the node stops because '%s' ended", name)
        self.stop()


async def run_node(settings: Settings, on_ready: Callable[[Node], None]) -> None:
    """Run a node until SIGINT or SIGTERM; a second one skips the grace of running jobs. What `hordenode up` does."""
    node = Node(settings)
    with on_signals(node.stop):
        async with node:
            await node.serve(lambda url: on_ready(node))


def prepare_data_dir(data_dir: Path) -> None:
    """Make the data directory, readable by its owner only."""
    data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)


async def open_coordinator(
    settings: Settings,
    catalog: Catalog,
    line: Line,
    publish: Callable[[object], None],
    stop_job: Callable[[str], None],
) -> Coordinator:
    """The coordinator on this data directory's database, migrated to the current schema."""
    data_dir = settings.data_dir
    path = data_dir / DATABASE
    await asyncio.to_thread(migrate, path)
    secret = load_secret(data_dir / SECRET_FILE)
    forward: list[Callable[[object], None]] = []
    db = await Database.open(path, synchronous=settings.store.synchronous, publish=lambda event: forward[0](event))
    coordinator = Coordinator(
        db=db,
        clock=SystemClock(),
        ids=RandomIds(),
        blobs=FileBlobs(data_dir / "blobs"),
        signer=UrlSigner(secret),
        secret=secret,
        baselines=Baselines({name: model.baseline for name, model in catalog.image.items()}),
        text_sizes={name: model.parameters for name, model in catalog.text.items() if model.parameters},
        rules=Rules(
            fair=settings.queue.order == "fair",
            anonymous=settings.horde.anonymous,
            kudos=settings.horde.kudos,
            max_upload=settings.server.max_body_mb * 2**20,
            documents=data_dir / "documents",
        ),
        guard=make_guard(settings.outgoing),
        line=line,
    )
    forward.append(Publisher(line, coordinator.doorbell, publish, stop_job))
    return coordinator


def make_guard(settings: OutgoingSettings) -> Guard:
    """Where source images and webhooks may connect to. Raises ConfigError."""
    try:
        private = parse_networks(settings.private_networks)
    except NotANetwork as error:
        raise ConfigError(f"outgoing.private_networks: {error}.") from error
    if not settings.ca_file:
        return Guard(private)
    trusted = ssl.create_default_context()
    try:
        trusted.load_verify_locations(settings.ca_file)
    except OSError as error:
        raise ConfigError(f"outgoing.ca_file: {settings.ca_file} cannot be used: {error}.") from error
    return Guard(private, tls=trusted)


@asynccontextmanager
async def open_admin(settings: Settings) -> AsyncIterator[Admin]:
    """The database of a data directory for the command line, safe beside a running node."""
    prepare_data_dir(settings.data_dir)
    catalog = load_catalog(settings.data_dir)
    coordinator = await open_coordinator(settings, catalog, Line(), lambda event: None, lambda job_id: None)
    try:
        await ensure_owner(coordinator, settings.data_dir / OWNER_KEY_FILE)
        yield Admin(coordinator)
    finally:
        await coordinator.db.close()


class Admin:
    """What the command line does to a horde without its node."""

    def __init__(self, coordinator: Coordinator) -> None:
        self._coordinator = coordinator

    async def create_user(
        self, name: str, kudos: float = 0.0, trusted: bool = False, moderator: bool = False, concurrency: int = 30
    ) -> tuple[str, str]:
        """A new account: (alias, API key)."""
        user, key = await users.create_user(
            self._coordinator, name, kudos_amount=kudos, trusted=trusted, moderator=moderator, concurrency=concurrency
        )
        return user.alias, key


async def ensure_owner(coordinator: Coordinator, key_file: Path) -> None:
    """User number 1 on the first start: owner, admin, moderator, trusted. Its key goes to `key_file`, mode 0600."""
    existing: User | None = await coordinator.db.read(lambda tx: user_rows.find(tx, OWNER_ID))
    if existing is not None:
        return
    key = coordinator.ids.api_key()
    write_secret(key_file, key + "\n")  # first the file: a crash in between leaves no owner without a key
    await users.create_user(coordinator, OWNER_NAME, trusted=True, moderator=True, admin=True, concurrency=500, key=key)


def load_secret(path: Path) -> bytes:
    """The node's own secret, made on the first start: it signs links and keys the digests of API keys."""
    if not path.exists():
        write_secret(path, secrets.token_hex(32) + "\n")
    return bytes.fromhex(path.read_text(encoding="ascii").strip())


def write_secret(path: Path, text: str) -> None:
    """Write a file that only its owner may read, whole or not at all."""
    temporary = path.with_name(path.name + ".new")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)
