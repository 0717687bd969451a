"""Rows about what holds for the whole horde: modes and addresses in timeout."""

from __future__ import annotations

from dataclasses import asdict

from hordenode.domain.house import Modes, Network, Timeout, parse_network, shown
from hordenode.store.tx import Tx, statement

MODES = statement("house.modes", "SELECT name, enabled FROM modes")
SET_MODE = statement(
    "house.set_mode",
    "INSERT INTO modes (name, enabled) VALUES (:name, :enabled) ON CONFLICT (name) DO UPDATE SET enabled = excluded.enabled",
)
TIMEOUTS = statement(
    "house.timeouts", "SELECT network, until_ms FROM ip_timeouts WHERE until_ms > :now_ms ORDER BY network"
)
SET_TIMEOUT = statement(
    "house.set_timeout",
    "INSERT INTO ip_timeouts (network, until_ms) VALUES (:network, :until_ms)"
    " ON CONFLICT (network) DO UPDATE SET until_ms = excluded.until_ms",
)
END_TIMEOUT = statement("house.end_timeout", "DELETE FROM ip_timeouts WHERE network = :network")
FORGET = statement("house.forget", "DELETE FROM ip_timeouts WHERE until_ms <= :now_ms")


def modes(tx: Tx) -> Modes:
    known = asdict(Modes())
    return Modes(**{name: bool(enabled) for name, enabled in tx.all(MODES) if name in known})


def save_modes(tx: Tx, modes: Modes) -> None:
    for name, enabled in asdict(modes).items():
        tx.run(SET_MODE, name=name, enabled=enabled)


def timeouts(tx: Tx, now_ms: int) -> list[Timeout]:
    """Those that are running."""
    return [Timeout(parse_network(row[0]), row[1]) for row in tx.all(TIMEOUTS, now_ms=now_ms)]


def set_timeout(tx: Tx, timeout: Timeout) -> None:
    """Replaces a running one of the same address or block."""
    tx.run(SET_TIMEOUT, network=shown(timeout.network), until_ms=timeout.until_ms)


def end_timeout(tx: Tx, network: Network) -> None:
    tx.run(END_TIMEOUT, network=shown(network))


def forget_timeouts(tx: Tx, now_ms: int) -> None:
    """Remove those that are over."""
    tx.run(FORGET, now_ms=now_ms)
