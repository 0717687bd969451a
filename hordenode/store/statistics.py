"""Rows about what was counted, in telemetry.db (ARCHITECTURE 3.4)."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from hordenode.domain.entities import Kind
from hordenode.domain.statistics import Count, Slice
from hordenode.store.migrate import PACKAGE, migrate
from hordenode.store.tx import TELEMETRY, Tx, statement

FOLDER = PACKAGE / "telemetry"
DELIVERIES = "deliveries"

POSITION = statement("statistics.position", "SELECT position FROM positions WHERE source = :source", TELEMETRY)
SET_POSITION = statement(
    "statistics.set_position",
    "INSERT INTO positions (source, position) VALUES (:source, :position)"
    " ON CONFLICT (source) DO UPDATE SET position = excluded.position",
    TELEMETRY,
)
ADD_TOTAL = statement(
    "statistics.add_total",
    "INSERT INTO stats_totals (kind, model, jobs, things) VALUES (:kind, :model, :jobs, :things)"
    " ON CONFLICT (kind, model) DO UPDATE SET jobs = jobs + excluded.jobs, things = things + excluded.things",
    TELEMETRY,
)
ADD_SLICE = statement(
    "statistics.add_slice",
    "INSERT INTO stats_slices (kind, width_ms, start_ms, model, jobs, things)"
    " VALUES (:kind, :width_ms, :start_ms, :model, :jobs, :things)"
    " ON CONFLICT (kind, width_ms, start_ms, model)"
    " DO UPDATE SET jobs = jobs + excluded.jobs, things = things + excluded.things",
    TELEMETRY,
)
TOTAL = statement("statistics.total", "SELECT model, jobs, things FROM stats_totals WHERE kind = :kind", TELEMETRY)
SINCE = statement(
    "statistics.since",
    "SELECT model, sum(jobs), sum(things) FROM stats_slices"
    " WHERE kind = :kind AND width_ms = :width_ms AND start_ms > :since_ms GROUP BY model",
    TELEMETRY,
)
PRUNE = statement(
    "statistics.prune", "DELETE FROM stats_slices WHERE width_ms = :width_ms AND start_ms < :before_ms", TELEMETRY
)


def prepare(path: Path) -> None:
    """Make telemetry.db, or bring it to the current version."""
    migrate(path, FOLDER / "migrations", FOLDER / "schema.sql")


def position(tx: Tx) -> int:
    """The sequence number of the last delivery that was counted."""
    return int(tx.value(POSITION, source=DELIVERIES) or 0)


def add(tx: Tx, counts: Mapping[Slice, Count], position: int) -> None:
    """Count, and remember up to where."""
    for part, count in counts.items():
        if part.width_ms:
            tx.run(
                ADD_SLICE,
                kind=part.kind,
                width_ms=part.width_ms,
                start_ms=part.start_ms,
                model=part.model,
                jobs=count.jobs,
                things=count.things,
            )
        else:
            tx.run(ADD_TOTAL, kind=part.kind, model=part.model, jobs=count.jobs, things=count.things)
    tx.run(SET_POSITION, source=DELIVERIES, position=position)


def total(tx: Tx, kind: Kind) -> dict[str, Count]:
    """By model, since the beginning."""
    return {model: Count(jobs, things) for model, jobs, things in tx.all(TOTAL, kind=kind)}


def since(tx: Tx, kind: Kind, width_ms: int, since_ms: int) -> dict[str, Count]:
    """By model, in the slices of one width that began after a time."""
    rows = tx.all(SINCE, kind=kind, width_ms=width_ms, since_ms=since_ms)
    return {model: Count(jobs, things) for model, jobs, things in rows}


def prune(tx: Tx, width_ms: int, before_ms: int) -> None:
    tx.run(PRUNE, width_ms=width_ms, before_ms=before_ms)
