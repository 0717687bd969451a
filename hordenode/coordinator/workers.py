"""Workers as clients see them (contract 11)."""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import UNSET

from hordenode.coordinator.context import Caller, Coordinator
from hordenode.coordinator.messages import shown
from hordenode.domain import kudos, permissions
from hordenode.domain.entities import Kind, User, Worker
from hordenode.domain.forms import SHOWN_WITHOUT_FORMS
from hordenode.domain.limits import ONLINE_MS
from hordenode.protocol.alchemy import AlchemyPop
from hordenode.protocol.errors import HordeError
from hordenode.protocol.image import ImagePop
from hordenode.protocol.text import TextPop
from hordenode.protocol.workers import TeamRef, WorkerDetails, WorkerKudosDetails, WorkerMessageDetails
from hordenode.store import suspicions, teams, users, workers
from hordenode.store.tx import Tx

_IMAGE_OFFER = msgspec.json.Decoder(ImagePop)
_TEXT_OFFER = msgspec.json.Decoder(TextPop)
_ALCHEMY_OFFER = msgspec.json.Decoder(AlchemyPop)
NO_REQUESTS = "No requests fulfilled yet"


async def list_workers(co: Coordinator, caller: Caller, kind: str | None, name: str | None) -> list[WorkerDetails]:
    """GET /workers: those seen within five minutes. `name` (ignoring case) takes precedence over `kind`."""

    def read(tx: Tx) -> list[WorkerDetails]:
        viewer = co.find_caller(tx, caller)
        online = [worker for worker in workers.everyone(tx) if is_online(co, worker)]
        if name is not None:
            online = [worker for worker in online if worker.name.lower() == name.lower()]
        elif kind is not None:
            online = [worker for worker in online if worker.kind == kind]
        return [_details(tx, co, worker, viewer) for worker in online]

    return await co.db.read(read)


async def worker_by_id(co: Coordinator, caller: Caller, worker_id: str) -> WorkerDetails:
    """GET /workers/{worker_id}: also those that are away."""
    return await co.db.read(lambda tx: _one(tx, co, caller, workers.by_id(tx, worker_id), worker_id))


async def worker_by_name(co: Coordinator, caller: Caller, name: str) -> WorkerDetails:
    """GET /workers/name/{worker_name}: case matters."""
    return await co.db.read(lambda tx: _one(tx, co, caller, workers.by_name(tx, name), name))


def _one(tx: Tx, co: Coordinator, caller: Caller, worker: Worker | None, asked: str) -> WorkerDetails:
    if worker is None:
        raise HordeError("WorkerNotFound", id=asked)
    return _details(tx, co, worker, co.find_caller(tx, caller))


def is_online(co: Coordinator, worker: Worker) -> bool:
    """Whether it popped within five minutes."""
    present = co.presence.get(worker.id)
    return co.clock.now_ms() - (present.seen_ms if present else worker.seen_ms) < ONLINE_MS


def _details(tx: Tx, co: Coordinator, worker: Worker, viewer: User | None) -> WorkerDetails:
    owner = users.find(tx, worker.user_id)
    present = co.presence.get(worker.id)
    inside = permissions.sees_worker_internals(viewer)
    team = teams.find(tx, worker.team_id) if worker.team_id else None
    speed = present.speed if present else worker.speed
    waiting_uptime = present.uptime_ms // 1000 if present else 0
    return WorkerDetails(
        type=worker.kind.value,
        name=worker.name,
        id=worker.id,
        online=is_online(co, worker),
        requests_fulfilled=worker.fulfilled,
        kudos_rewards=kudos.kudos(worker.kudos_generated + worker.kudos_uptime),
        kudos_details=WorkerKudosDetails(
            generated=kudos.kudos(worker.kudos_generated), uptime=round(kudos.kudos(worker.kudos_uptime))
        ),
        performance=performance_text(worker.kind, speed),
        threads=present.threads if present else 1,
        uptime=worker.uptime_s + waiting_uptime,
        maintenance_mode=worker.maintenance,
        trusted=owner is not None and owner.trusted,
        flagged=owner is not None and owner.flagged,
        uncompleted_jobs=worker.aborted,
        bridge_agent=worker.bridge_agent,
        info=worker.info or UNSET,
        team=TeamRef(name=team.name, id=team.id) if team else TeamRef(),
        owner=owner.alias if owner and (owner.public_workers or inside) else UNSET,
        messages=_messages(co, worker) if inside or (owner and owner.public_workers) else UNSET,
        paused=worker.paused if inside else UNSET,
        suspicious=suspicions.of_worker(tx, worker.id) if inside else UNSET,
        ipaddr=worker.address if inside else UNSET,
        contact=owner.contact if inside and owner and owner.contact else UNSET,
        **_abilities(worker),
    )


def _messages(co: Coordinator, worker: Worker) -> tuple[WorkerMessageDetails, ...]:
    return tuple(shown(message) for message in co.board.of_worker(worker.id, co.clock.now_ms()))


def models_of(worker: Worker) -> tuple[str, ...]:
    """What it last offered."""
    return tuple(_abilities(worker).get("models", ()))


def _abilities(worker: Worker) -> dict[str, Any]:
    """The members that depend on what kind of worker it is, from its last offer."""
    if worker.kind is Kind.TEXT:
        text = _TEXT_OFFER.decode(worker.offer)
        return {
            "nsfw": text.nsfw,
            "models": text.models,
            "max_length": text.max_length,
            "max_context_length": text.max_context_length,
        }
    if worker.kind is Kind.ALCHEMY:
        return {"nsfw": False, "forms": _ALCHEMY_OFFER.decode(worker.offer).forms or SHOWN_WITHOUT_FORMS}
    image = _IMAGE_OFFER.decode(worker.offer)
    return {
        "nsfw": image.nsfw,
        "models": image.models,
        "max_pixels": image.max_pixels,
        "megapixelsteps_generated": worker.contributed // 1_000_000,
        "img2img": image.allow_img2img,
        "painting": image.allow_painting,
        "post_processing": image.allow_post_processing,
        "lora": image.allow_lora,
        "controlnet": image.allow_controlnet,
        "sdxl_controlnet": image.allow_sdxl_controlnet,
    }


def performance_text(kind: Kind, speed: float | None) -> str:
    """A worker's speed in words that clients parse (contract 11)."""
    if speed is None:
        return NO_REQUESTS
    if kind is Kind.IMAGE:
        return f"{speed / 1e6:.1f} megapixelsteps per second"
    return f"{speed:.1f} tokens per second" if kind is Kind.TEXT else f"{speed:.1f} seconds per form"
