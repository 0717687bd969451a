"""How the horde is doing: heartbeat, performance, models (contract 18). Read from totals, never from requests."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from hordenode.coordinator.context import Coordinator
from hordenode.domain.entities import Kind
from hordenode.domain.names import SPECIAL_MODEL
from hordenode.protocol.errors import HordeError
from hordenode.protocol.status import ActiveModel, Heartbeat, ModelsQuery, Performance
from hordenode.store import alchemy, queue
from hordenode.store.queue import Total
from hordenode.store.tx import Tx

UNKNOWN_ETA = 10_000


@dataclass(slots=True)
class _Tally:
    """What is known of one model. things and jobs: queued ones."""

    threads: int = 0
    things: int = 0
    jobs: int = 0


async def heartbeat(co: Coordinator, version: str) -> Heartbeat:
    """GET /status/heartbeat: answered from memory."""
    now = co.clock.now_ms()
    online = [p for kind in Kind for p in co.presence.online(kind, now)]
    return Heartbeat(
        message="OK",
        version=version,
        queue=sum(co.line.waiting_jobs(kind) for kind in Kind),
        threads=sum(p.threads for p in online),
        active_count=len(online),
        db_connection=True,
    )


async def performance(co: Coordinator) -> Performance:
    """GET /status/performance."""
    image, text, forms = await co.db.read(
        lambda tx: (queue.totals(tx, Kind.IMAGE), queue.totals(tx, Kind.TEXT), alchemy.all_open_forms(tx))
    )
    now = co.clock.now_ms()
    threads = {kind: co.presence.threads(kind, now) for kind in Kind}
    counts = {kind: sum(1 for _ in co.presence.online(kind, now)) for kind in Kind}
    minute = {kind: co.presence.recent.things(kind, now) for kind in Kind}
    return Performance(
        queued_requests=sum(total.jobs for total in image),
        queued_text_requests=sum(total.jobs for total in text),
        worker_count=counts[Kind.IMAGE],
        text_worker_count=counts[Kind.TEXT],
        thread_count=threads[Kind.IMAGE],
        text_thread_count=threads[Kind.TEXT],
        queued_megapixelsteps=round(sum(total.things for total in image) / 1e6, 2),
        past_minute_megapixelsteps=round(minute[Kind.IMAGE] / 1e6, 2),
        queued_forms=forms,
        interrogator_count=counts[Kind.ALCHEMY],
        interrogator_thread_count=threads[Kind.ALCHEMY],
        queued_tokens=sum(total.things for total in text),
        past_minute_tokens=minute[Kind.TEXT],
    )


async def models(co: Coordinator, query: ModelsQuery) -> list[ActiveModel]:
    """GET /status/models, without special ones. BadRequest for an unknown type or model_state."""
    if query.type not in ("image", "text"):
        raise HordeError("BadRequest", reason="type must be 'image' or 'text'.")
    if query.model_state not in ("known", "custom", "all"):
        raise HordeError("BadRequest", reason="model_state must be 'known', 'custom' or 'all'.")
    found = [model for model in await _active(co, Kind(query.type)) if SPECIAL_MODEL not in model.name]
    if query.model_state != "all":
        wanted = query.model_state == "known"
        found = [model for model in found if co.baselines.known(model.name) == wanted]
    if query.min_count:
        found = [model for model in found if model.count >= int(query.min_count or 0)]
    if query.max_count:
        found = [model for model in found if model.count <= int(query.max_count or 0)]
    return found


async def model(co: Coordinator, name: str) -> list[ActiveModel]:
    """GET /status/models/{model_name}: zero or one element."""
    return [m for kind in (Kind.IMAGE, Kind.TEXT) for m in await _active(co, kind) if m.name == name][:1]


async def _active(co: Coordinator, kind: Kind) -> list[ActiveModel]:
    def read(tx: Tx) -> list[tuple[tuple[str, ...], Total]]:
        return [
            (co.verdicts.needs(tx, kind, total.signature_id).audience.models, total) for total in queue.totals(tx, kind)
        ]

    tallies = _tally(co, kind, await co.db.read(read))
    return [_model(co, kind, name, tally) for name, tally in sorted(tallies.items())]


def _tally(co: Coordinator, kind: Kind, waiting: Iterable[tuple[tuple[str, ...], Total]]) -> dict[str, _Tally]:
    tallies: dict[str, _Tally] = {}
    for present in co.presence.online(kind, co.clock.now_ms()):
        for name in present.models if present.available else ():
            tallies.setdefault(name, _Tally()).threads += present.threads
    for names, total in waiting:
        for name in names:
            if name in tallies or co.baselines.known(name):
                tally = tallies.setdefault(name, _Tally())
                tally.things += total.things
                tally.jobs += total.jobs
    return tallies


def _model(co: Coordinator, kind: Kind, name: str, tally: _Tally) -> ActiveModel:
    speed = co.presence.recent.speed(kind, name, co.clock.now_ms())
    power = tally.threads * speed
    eta = int(tally.things / power) if power else UNKNOWN_ETA if tally.things else 0
    return ActiveModel(
        name=name,
        count=tally.threads,
        performance=round(speed, 2),
        queued=tally.things,
        jobs=tally.jobs,
        eta=eta,
        type="text" if kind is Kind.TEXT else "image",
    )
