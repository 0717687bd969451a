"""Teams on the wire (behaviour.md 15)."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import UNSET, Meta, UnsetType

from hordenode.protocol.wire import Answer, Request

TeamName = Annotated[str, Meta(min_length=3, max_length=100)]
TeamInfo = Annotated[str, Meta(min_length=3, max_length=1000)]


class TeamInput(Request, frozen=True, kw_only=True):
    """A new team."""

    name: TeamName
    info: TeamInfo | UnsetType = UNSET


class TeamPatch(Request, frozen=True, kw_only=True):
    """A change of a team."""

    name: TeamName | UnsetType = UNSET
    info: TeamInfo | UnsetType = UNSET


class TeamModified(Answer, frozen=True, kw_only=True):
    """A team that was made or changed. Clients want id and name in any case (clients.md 4)."""

    id: str
    name: str
    info: str | UnsetType = UNSET


class TeamDeleted(Answer, frozen=True, kw_only=True):
    """A team that is gone."""

    deleted_id: str
    deleted_name: str


class WorkerLite(Answer, frozen=True, kw_only=True):
    """A member of a team."""

    type: Literal["image", "text", "interrogation"]
    name: str
    id: str
    online: bool


class TeamModel(Answer, frozen=True, kw_only=True):
    """A model, and how many members offer it."""

    name: str
    count: int


class TeamDetails(Answer, frozen=True, kw_only=True):
    """A team. uptime in seconds; creator: `name#id`."""

    name: str
    id: str
    info: str | UnsetType = UNSET
    requests_fulfilled: int
    kudos: float
    uptime: int
    creator: str
    worker_count: int
    workers: tuple[WorkerLite, ...]
    models: tuple[TeamModel, ...]
