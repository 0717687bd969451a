"""Prompt filters."""

from __future__ import annotations

from hordenode.api.handlers import caller_of, horde
from hordenode.api.route import Call
from hordenode.coordinator import filters
from hordenode.protocol.common import SimpleAnswer
from hordenode.protocol.filters import (
    FilterDetails,
    FilterInput,
    FilterPatch,
    FilterRegex,
    FilterTest,
    PromptSuspicion,
)


async def list_filters(call: Call, _: None) -> list[FilterDetails]:
    filter_type, contains = call.query.filter_type or None, call.query.contains or None
    return await filters.list_filters(horde(call), caller_of(call), filter_type, contains)


async def list_regexes(call: Call, _: None) -> list[FilterRegex]:
    return await filters.list_regexes(horde(call), caller_of(call), call.query.filter_type or None)


async def filter_by_id(call: Call, _: None) -> FilterDetails:
    return await filters.filter_by_id(horde(call), caller_of(call), call.path_params["filter_id"])


async def create_filter(call: Call, body: FilterInput) -> FilterDetails:
    return await filters.create_filter(horde(call), caller_of(call), body)


async def edit_filter(call: Call, body: FilterPatch) -> FilterDetails:
    return await filters.edit_filter(horde(call), caller_of(call), call.path_params["filter_id"], body)


async def delete_filter(call: Call, _: None) -> SimpleAnswer:
    await filters.delete_filter(horde(call), caller_of(call), call.path_params["filter_id"])
    return SimpleAnswer()


async def judge_prompt(call: Call, body: FilterTest) -> PromptSuspicion:
    return await filters.judge_prompt(horde(call), caller_of(call), body)
