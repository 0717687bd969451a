"""Teams: workers of several owners that count together (contract 15)."""

from __future__ import annotations

from collections import Counter

from msgspec import UNSET
from msgspec.structs import replace

from hordenode.coordinator.context import Caller, Coordinator
from hordenode.coordinator.workers import is_online, models_of
from hordenode.domain import kudos, permissions
from hordenode.domain.entities import Team, Worker
from hordenode.protocol.errors import HordeError, ValidationFailed
from hordenode.protocol.teams import (
    TeamDeleted,
    TeamDetails,
    TeamInput,
    TeamModel,
    TeamModified,
    TeamPatch,
    WorkerLite,
)
from hordenode.store import teams, users, workers
from hordenode.store.tx import Tx


async def create_team(co: Coordinator, caller: Caller, body: TeamInput) -> TeamModified:
    """POST /teams: by trusted users."""

    def store(tx: Tx) -> Team:
        creator = co.authenticate(tx, caller)
        if creator.anonymous:
            raise HordeError("AnonForbidden")
        if not (creator.trusted or creator.moderator):
            raise HordeError("UntrustedTeamCreation")
        name = _name(tx, co, body.name)
        team = Team(
            id=co.ids.uuid(),
            name=name,
            folded=name.casefold(),
            info=_info(co, body.info) if body.info is not UNSET else None,
            user_id=creator.id,
            created_ms=co.clock.now_ms(),
        )
        teams.insert(tx, team)
        return team

    return _modified(await co.db.write(store))


async def edit_team(co: Coordinator, caller: Caller, team_id: str, body: TeamPatch) -> TeamModified:
    """PATCH /teams/{team_id}: by its creator and moderators."""

    def store(tx: Tx) -> Team:
        editor = co.authenticate(tx, caller)
        team = _found(tx, team_id)
        if body.name is UNSET and body.info is UNSET:
            raise HordeError("NoTeamModSelected")
        if editor.anonymous or not permissions.may_manage(editor, team.user_id):
            raise HordeError("NotOwner" if body.name is UNSET else "NotModerator")
        if body.name is not UNSET:
            name = _name(tx, co, body.name, own_id=team.id)
            team = replace(team, name=name, folded=name.casefold())
        if body.info is not UNSET:
            team = replace(team, info=_info(co, body.info))
        teams.update(tx, team)
        return team

    return _modified(await co.db.write(store))


async def delete_team(co: Coordinator, caller: Caller, team_id: str) -> TeamDeleted:
    """DELETE /teams/{team_id}: its workers stay, without a team."""

    def remove(tx: Tx) -> Team:
        editor = co.authenticate(tx, caller)
        team = _found(tx, team_id)
        if editor.anonymous or not permissions.may_manage(editor, team.user_id):
            raise HordeError("NotModerator")
        teams.delete(tx, team.id)
        return team

    team = await co.db.write(remove)
    return TeamDeleted(deleted_id=team.id, deleted_name=team.name)


async def list_teams(co: Coordinator) -> list[TeamDetails]:
    """GET /teams: oldest first."""
    return await co.db.read(lambda tx: [_details(tx, co, team) for team in teams.everyone(tx)])


async def team_by_id(co: Coordinator, caller: Caller, team_id: str) -> TeamDetails:
    """GET /teams/{team_id}: the same for everybody ([FIX] contract 25); InvalidAPIKey for an unknown key."""

    def read(tx: Tx) -> TeamDetails:
        if caller.apikey is not None:
            co.authenticate(tx, caller)
        return _details(tx, co, _found(tx, team_id))

    return await co.db.read(read)


def _found(tx: Tx, team_id: str) -> Team:
    team = teams.find(tx, team_id)
    if team is None:
        raise HordeError("TeamNotFound", id=team_id)
    return team


def _name(tx: Tx, co: Coordinator, name: str, own_id: str = "") -> str:
    name = name.strip()
    if not name:
        raise ValidationFailed({"name": "has no character that can be seen"})
    co.rules.check_words(name, "ProfaneTeamName")
    same = teams.by_name(tx, name.casefold())
    if same is not None and same.id != own_id:
        raise HordeError("TeamNameAlreadyExists", name=name)
    return name


def _info(co: Coordinator, info: str) -> str:
    co.rules.check_words(info, "ProfaneTeamInfo")
    return info


def _modified(team: Team) -> TeamModified:
    return TeamModified(id=team.id, name=team.name, info=team.info or UNSET)


def _details(tx: Tx, co: Coordinator, team: Team) -> TeamDetails:
    members = workers.of_team(tx, team.id)
    creator = users.find(tx, team.user_id)
    counted = Counter(model for worker in members for model in models_of(worker))
    return TeamDetails(
        name=team.name,
        id=team.id,
        info=team.info or UNSET,
        requests_fulfilled=team.fulfilled,
        kudos=kudos.kudos(team.kudos),
        uptime=team.uptime_s,
        creator=creator.alias if creator else "",
        worker_count=len(members),
        workers=tuple(_lite(co, worker) for worker in members),
        models=tuple(TeamModel(name=name, count=count) for name, count in sorted(counted.items())),
    )


def _lite(co: Coordinator, worker: Worker) -> WorkerLite:
    return WorkerLite(type=worker.kind.value, name=worker.name, id=worker.id, online=is_online(co, worker))
