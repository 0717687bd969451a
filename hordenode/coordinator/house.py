"""What holds for the whole horde: modes and addresses in timeout, in memory because every request asks (contract 18, 19).

The memory follows the store: it is loaded at start, after each change here, and when another program changed the
database (coordinator/janitor.py).
"""

from __future__ import annotations

from dataclasses import asdict, replace

from msgspec import UNSET, UnsetType

from hordenode.coordinator.changes import advance, tell_done
from hordenode.coordinator.context import Caller, Coordinator
from hordenode.domain import lifecycle
from hordenode.domain.entities import Kind, User
from hordenode.domain.house import Modes, Network, Timeout, Timeouts, parse_network, seconds, shown, worker_network
from hordenode.ops.events import ModesChanged
from hordenode.protocol.common import UNKNOWN_AGENT, SimpleAnswer
from hordenode.protocol.errors import HordeError
from hordenode.protocol.house import (
    AddressRequest,
    HordeModes,
    HordeModesChanged,
    IPTimeout,
    IPTimeoutRequest,
    ModesRequest,
    WorkerBlockRequest,
)
from hordenode.store import house as rows
from hordenode.store import requests, workers
from hordenode.store.tx import Tx

CHUNK = 200
HOUR_MS = 3_600_000
NAMELESS = "Your address is in timeout. Send a Client-Agent header with your program's name, version and contact."


async def refresh(co: Coordinator) -> None:
    """Bring the memory in step with the store."""
    now = co.clock.now_ms()
    modes, timeouts = await co.db.read(lambda tx: (rows.modes(tx), rows.timeouts(tx, now)))
    co.house.modes, co.house.timeouts = modes, Timeouts.of(timeouts)


async def modes(co: Coordinator, caller: Caller) -> HordeModes:
    """GET /status/modes: a moderator sees the raid mode too ([FIX] everybody else's key is harmless)."""
    viewer = None if caller.apikey is None else await co.db.read(lambda tx: co.authenticate(tx, caller))
    now = co.house.modes
    return HordeModes(
        maintenance_mode=now.maintenance,
        invite_only_mode=now.invite_only,
        raid_mode=now.raid if viewer is not None and viewer.moderator else UNSET,
    )


async def set_modes(co: Coordinator, caller: Caller, body: ModesRequest) -> HordeModesChanged:
    """PUT /status/modes: maintenance is an admin's, the others a moderator's. Changes all that is asked, or nothing."""

    def change(tx: Tx) -> Modes:
        user = co.authenticate(tx, caller)
        _check_rights(user, body)
        wanted = replace(
            rows.modes(tx),
            **{name: value for name, value in _named(body).items() if value is not UNSET},
        )
        rows.save_modes(tx, wanted)
        tx.emit(ModesChanged(**asdict(wanted)))
        return wanted

    wanted = await co.db.write(change)
    await refresh(co)
    if body.maintenance_mode is True:
        await _cancel_images(co)
    return HordeModesChanged(
        maintenance_mode=_answered(body.maintenance_mode, wanted.maintenance),
        invite_only_mode=_answered(body.invite_only_mode, wanted.invite_only),
        raid_mode=_answered(body.raid_mode, wanted.raid),
    )


def _named(body: ModesRequest) -> dict[str, bool | UnsetType]:
    return {"maintenance": body.maintenance_mode, "invite_only": body.invite_only_mode, "raid": body.raid_mode}


def _answered(asked: bool | UnsetType, value: bool) -> bool | UnsetType:
    return UNSET if asked is UNSET else value


def _check_rights(user: User, body: ModesRequest) -> None:
    given = {name for name, value in _named(body).items() if value is not UNSET}
    if not given:
        raise HordeError("NoHordeModSelected")
    if given != {"maintenance"} and not user.moderator:
        raise HordeError("NotModerator")
    if "maintenance" in given and not user.admin:
        raise HordeError("NotAdmin")


async def _cancel_images(co: Coordinator) -> None:
    """Nothing more of any image request is handed out; jobs in flight run on (contract 8.3)."""

    def cancel(tx: Tx) -> int:
        waiting = requests.some_waiting(tx, Kind.IMAGE, CHUNK)
        for wp in waiting:
            after = lifecycle.cancel(wp)
            advance(tx, wp, after)
            tell_done(tx, after)
        return len(waiting)

    while await co.db.write(cancel) == CHUNK:
        pass


async def list_timeouts(co: Coordinator, caller: Caller) -> list[IPTimeout]:
    """GET /operations/ipaddr: CIDR blocks only."""
    await co.db.read(lambda tx: _moderator(tx, co, caller))
    now = co.clock.now_ms()
    return [_timeout(timeout, now) for timeout in co.house.timeouts.blocks(now)]


async def timeouts_of(co: Coordinator, caller: Caller, address: str) -> list[IPTimeout]:
    """GET /operations/ipaddr/{ipaddr}: the blocks that contain it, and its own timeout."""
    await co.db.read(lambda tx: _moderator(tx, co, caller))
    now = co.clock.now_ms()
    return [_timeout(timeout, now) for timeout in co.house.timeouts.matching(_network(address), now)]


async def add_timeout(co: Coordinator, caller: Caller, body: IPTimeoutRequest) -> SimpleAnswer:
    """POST /operations/ipaddr."""

    def add(tx: Tx) -> None:
        _moderator(tx, co, caller)
        time_out(tx, co, _network(body.ipaddr), body.hours * HOUR_MS)

    await co.db.write(add)
    await refresh(co)
    return SimpleAnswer()


async def remove_timeout(co: Coordinator, caller: Caller, body: AddressRequest) -> SimpleAnswer:
    """DELETE /operations/ipaddr."""

    def remove(tx: Tx) -> None:
        _moderator(tx, co, caller)
        rows.end_timeout(tx, _network(body.ipaddr))

    await co.db.write(remove)
    await refresh(co)
    return SimpleAnswer()


async def block_worker(co: Coordinator, caller: Caller, worker_id: str, body: WorkerBlockRequest) -> SimpleAnswer:
    """PUT /operations/block_worker_ipaddr/{worker_id}: the worker's last address."""

    def block(tx: Tx) -> None:
        time_out(tx, co, _worker_network(tx, co, caller, worker_id), body.days * 24 * HOUR_MS)

    await co.db.write(block)
    await refresh(co)
    return SimpleAnswer()


async def unblock_worker(co: Coordinator, caller: Caller, worker_id: str) -> SimpleAnswer:
    """DELETE /operations/block_worker_ipaddr/{worker_id}."""
    await co.db.write(lambda tx: rows.end_timeout(tx, _worker_network(tx, co, caller, worker_id)))
    await refresh(co)
    return SimpleAnswer()


def time_out(tx: Tx, co: Coordinator, network: Network, duration_ms: int) -> None:
    """Neither requests nor pops from there for so long. Call `refresh` after the commit."""
    now = co.clock.now_ms()
    rows.forget_timeouts(tx, now)
    rows.set_timeout(tx, Timeout(network, now + duration_ms))


async def offend(co: Coordinator, address: str) -> None:
    """A prompt from there was refused: the address waits, longer each time within a day (contract 17)."""
    try:
        network = parse_network(address)
    except ValueError:
        return  # a caller without an address, such as a socket file
    duration = co.house.offences.timeout_ms(address, co.clock.now_ms())
    await co.db.write(lambda tx: time_out(tx, co, network, duration))
    await refresh(co)


def check_poller(co: Coordinator, address: str, client_agent: str) -> None:
    """An address in timeout may ask how its requests stand, but not without saying which program asks (contract 19)."""
    timeouts = co.house.timeouts
    if timeouts and client_agent == UNKNOWN_AGENT and timeouts.seconds_left(address, co.clock.now_ms()):
        raise HordeError("Forbidden", reason=NAMELESS)


def _moderator(tx: Tx, co: Coordinator, caller: Caller) -> User:
    user = co.authenticate(tx, caller)
    if not user.moderator:
        raise HordeError("NotModerator")
    return user


def _network(text: str) -> Network:
    try:
        return parse_network(text)
    except ValueError as error:
        raise HordeError("BadRequest", reason=f"'{text}' is neither an IP address nor a CIDR block.") from error


def _worker_network(tx: Tx, co: Coordinator, caller: Caller, worker_id: str) -> Network:
    _moderator(tx, co, caller)
    worker = workers.by_id(tx, worker_id)
    if worker is None:
        raise HordeError("WorkerNotFound", id=worker_id)
    if not worker.address:
        raise HordeError("BadRequest", reason="This worker came without an address, such as through a socket file.")
    return worker_network(worker.address)


def _timeout(timeout: Timeout, now_ms: int) -> IPTimeout:
    return IPTimeout(ipaddr=shown(timeout.network), seconds=seconds(timeout, now_ms))
