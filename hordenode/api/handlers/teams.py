"""Teams."""

from __future__ import annotations

from hordenode.api.handlers import caller_of, horde
from hordenode.api.route import Call
from hordenode.coordinator import teams
from hordenode.protocol.teams import TeamDeleted, TeamDetails, TeamInput, TeamModified, TeamPatch


async def list_teams(call: Call, _: None) -> list[TeamDetails]:
    return await teams.list_teams(horde(call))


async def create(call: Call, body: TeamInput) -> TeamModified:
    return await teams.create_team(horde(call), caller_of(call), body)


async def find(call: Call, _: None) -> TeamDetails:
    return await teams.team_by_id(horde(call), caller_of(call), call.path_params["team_id"])


async def edit(call: Call, body: TeamPatch) -> TeamModified:
    return await teams.edit_team(horde(call), caller_of(call), call.path_params["team_id"], body)


async def delete(call: Call, _: None) -> TeamDeleted:
    return await teams.delete_team(horde(call), caller_of(call), call.path_params["team_id"])
