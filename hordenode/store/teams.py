"""Rows about teams."""

from __future__ import annotations

from hordenode.domain.entities import Team
from hordenode.store.rows import columns, placeholders, reader, values
from hordenode.store.tx import Tx, statement

_team = reader(Team)

FIND = statement("teams.find", f"SELECT {columns(Team)} FROM teams WHERE id = :id")
BY_NAME = statement("teams.by_name", f"SELECT {columns(Team)} FROM teams WHERE folded = :folded")
ALL = statement("teams.all", f"SELECT {columns(Team)} FROM teams ORDER BY created_ms, id")
INSERT = statement("teams.insert", f"INSERT INTO teams ({columns(Team)}) VALUES ({placeholders(Team)})")
UPDATE = statement("teams.update", "UPDATE teams SET name = :name, folded = :folded, info = :info WHERE id = :id")
DELETE = statement("teams.delete", "DELETE FROM teams WHERE id = :id")
CREDIT = statement(
    "teams.credit",
    "UPDATE teams SET fulfilled = fulfilled + 1, contributed = contributed + :things, kudos = kudos + :reward WHERE id = :id",
    keeps=True,  # no worker changes
)
UPTIME = statement("teams.uptime", "UPDATE teams SET uptime_s = uptime_s + :seconds WHERE id = :id")


def find(tx: Tx, team_id: str) -> Team | None:
    row = tx.one(FIND, id=team_id)
    return None if row is None else _team(row)


def by_name(tx: Tx, folded: str) -> Team | None:
    row = tx.one(BY_NAME, folded=folded)
    return None if row is None else _team(row)


def everyone(tx: Tx) -> list[Team]:
    """Oldest first."""
    return [_team(row) for row in tx.all(ALL)]


def insert(tx: Tx, team: Team) -> None:
    tx.run(INSERT, **values(team))


def update(tx: Tx, team: Team) -> None:
    """Store name and info."""
    tx.run(UPDATE, id=team.id, name=team.name, folded=team.folded, info=team.info)


def delete(tx: Tx, team_id: str) -> None:
    """Its workers stay, without a team."""
    tx.run(DELETE, id=team_id)


def credit(tx: Tx, team_id: str, things: int, reward: int) -> None:
    """A member delivered a job."""
    tx.run(CREDIT, id=team_id, things=things, reward=reward)


def add_uptime(tx: Tx, team_id: str, seconds: int) -> None:
    """A member was rewarded for being there."""
    tx.run(UPTIME, id=team_id, seconds=seconds)
