"""The way into the queue, alike for requests of every kind: a lane, a signature, counters and the spec."""

from __future__ import annotations

import msgspec

from hordenode.coordinator import prices
from hordenode.coordinator.changes import SignatureUsed
from hordenode.coordinator.context import Caller, Coordinator
from hordenode.coordinator.line import LaneServed, LineMoved
from hordenode.coordinator.specs import encode_spec
from hordenode.coordinator.verdicts import encode_needs
from hordenode.domain import lifecycle, priority
from hordenode.domain.entities import Kind, User, WaitingPrompt
from hordenode.domain.needs import needs_of
from hordenode.domain.spec import Spec
from hordenode.store import queue, requests
from hordenode.store.tx import Tx


class Entry(msgspec.Struct, frozen=True):
    """An admitted request. Amounts in thousandths of a kudos: `price` per job, `tax` already due.

    proxied_account: for whom a service asks. sharedkey_id: what pays. downgraded: it comes after all others.
    """

    kind: Kind
    spec: Spec
    user: User
    balance: int
    price: int
    tax: int
    proxied_account: str | None = None
    sharedkey_id: str | None = None
    downgraded: bool = False


def enqueue(tx: Tx, co: Coordinator, caller: Caller, entry: Entry) -> WaitingPrompt:
    """Put the request into the queue. Forms keep the priority that they come with, other requests gain by waiting."""
    now = co.clock.now_ms()
    user, balance, spec = entry.user, entry.balance, entry.spec
    address = co.address_of(tx, caller)
    urgency, band = prices.standing(co, user, balance, downgraded=entry.downgraded)
    wp = WaitingPrompt(
        id=co.ids.uuid(),
        kind=entry.kind,
        user_id=user.id,
        lane_id=_lane(tx, entry.kind, user, address, band),
        signature_id=_signature(tx, co, entry),
        order_key=urgency if entry.kind is Kind.ALCHEMY else priority.order_key(urgency, now),
        arrival=co.turns.next(),
        n=spec.n,
        jobs=spec.n,
        processing=0,
        finished=0,
        restarted=0,
        faulted=False,
        cancelled=False,
        things=spec.things,
        price=entry.price,
        consumed=entry.tax,
        created_ms=now,
        expires_ms=lifecycle.expiry(now),
        sharedkey_id=entry.sharedkey_id,
    )
    stored = requests.StoredSpec(encode_spec(spec), caller.client_agent, address, entry.proxied_account)
    requests.insert(tx, wp, stored)
    tx.emit(LineMoved(wp))
    return wp


def _lane(tx: Tx, kind: Kind, user: User, address: str, band: int) -> int:
    """The lane that the request stands in, made when new; its band follows the user's kudos."""
    address = address if user.anonymous else ""
    lane = queue.find_lane(tx, kind, user.id, address)
    if lane is not None and lane.band == band:
        return lane.id
    if lane is None:
        lane_id = queue.add_lane(tx, kind, user.id, address, band)
    else:
        lane_id = lane.id
        queue.set_band(tx, lane_id, band)
    tx.emit(LaneServed(kind, lane_id, band=band))
    return lane_id


def _signature(tx: Tx, co: Coordinator, entry: Entry) -> int:
    needs = needs_of(entry.spec)
    known = co.verdicts.signature(needs)
    if known is None:
        known = queue.signature_id(tx, entry.kind, encode_needs(needs))
        tx.emit(SignatureUsed(known, needs))
    return known
