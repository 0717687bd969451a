"""A data directory opened: its database, keys and secret, and the coordinator on it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

from hordenode.blobs.files import FileBlobs
from hordenode.blobs.signing import UrlSigner
from hordenode.catalog import Catalog
from hordenode.client.guard import make_guard
from hordenode.config import Settings
from hordenode.coordinator import files, users
from hordenode.coordinator.changes import Publisher
from hordenode.coordinator.context import Coordinator, Rules
from hordenode.coordinator.line import Line
from hordenode.coordinator.streams import Streams
from hordenode.domain.baselines import Baselines
from hordenode.domain.entities import OWNER_ID, User
from hordenode.ops.clock import SystemClock
from hordenode.ops.ids import RandomIds
from hordenode.ops.metrics import Metrics
from hordenode.ops.networks import Networks
from hordenode.ops.secret_files import SECRET_FILE, load_secret, write_secret
from hordenode.store import users as user_rows
from hordenode.store.database import Database
from hordenode.store.migrate import migrate
from hordenode.store.statistics import prepare as prepare_telemetry

DATABASE = "hordenode.db"
TELEMETRY = "telemetry.db"
OWNER_KEY_FILE = "owner.key"
OWNER_NAME = "owner"


def prepare_data_dir(data_dir: Path) -> None:
    """Make the data directory, readable by its owner only."""
    data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)


async def open_coordinator(
    settings: Settings,
    catalog: Catalog,
    line: Line,
    publish: Callable[[object], None],
    stop_job: Callable[[str], None],
    on_lost: Callable[[], None] = lambda: None,
) -> Coordinator:
    """The coordinator on this data directory's database, migrated to the current schema."""
    data_dir = settings.data_dir
    path, telemetry = data_dir / DATABASE, data_dir / TELEMETRY
    await asyncio.to_thread(migrate, path)
    await asyncio.to_thread(prepare_telemetry, telemetry)
    secret = load_secret(data_dir / SECRET_FILE)
    blobs = FileBlobs(data_dir / "blobs")
    recovered = await asyncio.to_thread(blobs.recover)
    forward: list[Callable[[object], None]] = []
    metrics = Metrics()
    db = await Database.open(
        path,
        synchronous=settings.store.synchronous,
        publish=lambda event: forward[0](event),
        metrics=metrics,
        on_lost=on_lost,
    )
    coordinator = Coordinator(
        db=db,
        telemetry=await Database.open(telemetry, synchronous=settings.store.synchronous),
        clock=SystemClock(),
        ids=RandomIds(),
        blobs=blobs,
        signer=UrlSigner(secret),
        secret=secret,
        baselines=Baselines({name: model.baseline for name, model in catalog.image.items()}),
        text_sizes={name: model.parameters for name, model in catalog.text.items() if model.parameters},
        rules=make_rules(settings),
        metrics=metrics,
        streams=Streams(most=settings.limits.streams, most_each=settings.limits.streams_each),
        guard=make_guard(settings.outgoing),
        line=line,
    )
    coordinator.announce = Publisher(coordinator, publish, stop_job)
    forward.append(coordinator.announce)
    if recovered:
        await files.adopt(coordinator, recovered)
    return coordinator


def make_rules(settings: Settings) -> Rules:
    """What the owner decides about the coordinator."""
    return Rules(
        fair=settings.queue.order == "fair",
        documents=settings.data_dir / "documents",
        anonymous=settings.server.anonymous,
        registration=settings.server.registration,
        refused_words=settings.horde.refused_words,
        workers_per_address=settings.horde.workers_per_address,
        trust_after=settings.horde.trust_after,
        kudos=settings.horde.kudos,
        upfront=settings.horde.upfront_kudos == "busy",
        max_upload=settings.server.max_body_mb * 2**20,
        backlog=settings.limits.backlog,
        max_running=settings.queue.max_running,
        ledger_days=settings.retention.ledger_days,
        idle_days=settings.retention.idle_days,
        metrics_allow=Networks(settings.metrics.allow),
    )


async def ensure_owner(coordinator: Coordinator, key_file: Path) -> None:
    """User number 1 on the first start: owner, admin, moderator, trusted. Its key goes to `key_file`, mode 0600."""
    existing: User | None = await coordinator.db.read(lambda tx: user_rows.find(tx, OWNER_ID))
    if existing is not None:
        return
    key = coordinator.ids.api_key()
    write_secret(key_file, key + "\n")  # first the file: a crash in between leaves no owner without a key
    await users.create_user(coordinator, OWNER_NAME, trusted=True, moderator=True, admin=True, concurrency=500, key=key)
