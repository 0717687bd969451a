"""Kudos in advance: who has them makes large requests while the horde is busy, for others they are made smaller (contract 5).

Only where the owner wants it so (`horde.upfront_kudos = busy`).
"""

from __future__ import annotations

from dataclasses import dataclass

from msgspec.structs import replace

from hordenode.coordinator import prices
from hordenode.coordinator.context import Coordinator
from hordenode.coordinator.kudos import available
from hordenode.domain import upfront
from hordenode.domain.entities import Kind, User
from hordenode.domain.receipts import number
from hordenode.domain.spec import GenerationSpec, ImageSpec, TextSpec
from hordenode.domain.upfront import Load
from hordenode.protocol.errors import HordeError
from hordenode.store import queue
from hordenode.store.tx import Tx


@dataclass(frozen=True, slots=True)
class Held:
    """The request as it is accepted, and what is set aside for it (thousandths)."""

    spec: GenerationSpec
    amount: int = 0


def in_advance(tx: Tx, co: Coordinator, user: User, spec: GenerationSpec, *, downgrade: bool) -> Held:
    """What the request needs in advance, if the user has it; else the request made smaller, or KudosUpfront."""
    load = _load(tx, co, spec)
    if not co.rules.kudos or not upfront.is_needed(spec, load, co.baselines):
        return Held(spec)
    needed, left = _needed(co, spec), available(tx, user)
    if left >= needed:
        return Held(spec, needed)
    if not downgrade:
        raise HordeError("KudosUpfront", needed=number(needed), available=number(max(0, left)))
    return Held(upfront.downgraded(spec, load, co.baselines))


def _load(tx: Tx, co: Coordinator, spec: GenerationSpec) -> Load:
    kind = Kind.IMAGE if isinstance(spec, ImageSpec) else Kind.TEXT
    jobs = sum(total.jobs for total in queue.totals(tx, kind))
    return Load(jobs, co.presence.threads(kind, co.clock.now_ms()))


def _needed(co: Coordinator, spec: GenerationSpec) -> int:
    """A picture counts as if it were made from words alone."""
    if isinstance(spec, TextSpec):
        return upfront.text_amount(spec, co.text_sizes)
    return prices.estimate(co, replace(spec, source_image=None))
