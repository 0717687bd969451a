"""Prompt filters: kept by moderators, asked by requests only where the horde has any (contract 17)."""

from __future__ import annotations

import asyncio
from typing import Any

from msgspec import UNSET
from msgspec.structs import replace

from hordenode.coordinator.context import Caller, Coordinator
from hordenode.domain.entities import User
from hordenode.domain.filters import GROUPS, Filter, FilterSet, check_pattern
from hordenode.protocol.errors import HordeError, ValidationFailed
from hordenode.protocol.filters import (
    FilterDetails,
    FilterInput,
    FilterPatch,
    FilterRegex,
    FilterTest,
    PromptSuspicion,
)
from hordenode.store import filters, users
from hordenode.store.tx import Tx


async def load_filters(co: Coordinator) -> None:
    """Compile what is stored: at start, and after each change."""
    stored = await co.db.read(filters.everything)
    co.filters = await asyncio.to_thread(FilterSet, stored)


async def list_filters(
    co: Coordinator, caller: Caller, filter_type: int | None, contains: str | None
) -> list[FilterDetails]:
    """GET /filters."""

    def read(tx: Tx) -> list[FilterDetails]:
        _moderator(tx, co, caller)
        return [
            _details(tx, one)
            for one in filters.everything(tx)
            if filter_type in (None, one.filter_type) and (contains or "") in one.regex
        ]

    return await co.db.read(read)


async def list_regexes(co: Coordinator, caller: Caller, filter_type: int | None) -> list[FilterRegex]:
    """GET /filters/regex: one per type; those of the groups even without filters."""

    def read(tx: Tx) -> list[FilterRegex]:
        _moderator(tx, co, caller)
        found: dict[int, list[str]] = {number: [] for group in GROUPS for number in sorted(group)}
        for one in filters.everything(tx):
            found.setdefault(one.filter_type, []).append(one.regex)
        wanted = found if filter_type is None else {filter_type: found.get(filter_type, [])}
        return [
            FilterRegex(filter_type=number, regex="|".join(f"(?:{one})" for one in patterns) if patterns else UNSET)
            for number, patterns in sorted(wanted.items())
        ]

    return await co.db.read(read)


async def filter_by_id(co: Coordinator, caller: Caller, filter_id: str) -> FilterDetails:
    """GET /filters/{filter_id}."""

    def read(tx: Tx) -> FilterDetails:
        _moderator(tx, co, caller)
        return _details(tx, _find(tx, filter_id))

    return await co.db.read(read)


async def create_filter(co: Coordinator, caller: Caller, body: FilterInput) -> FilterDetails:
    """PUT /filters: a new one, or the one that there is with this regex and type."""
    await co.db.read(lambda tx: _moderator(tx, co, caller))
    await _check_pattern(body.regex)

    def write(tx: Tx) -> FilterDetails:
        user = _moderator(tx, co, caller)
        one = filters.by_regex(tx, body.filter_type, body.regex)
        if one is None:
            one = Filter(
                id=co.ids.uuid(),
                regex=body.regex,
                filter_type=body.filter_type,
                user_id=user.id,
                description=body.description or None,
                replacement=body.replacement,
            )
            filters.insert(tx, one)
        return _details(tx, one)

    made = await co.db.write(write)
    await load_filters(co)
    return made


async def edit_filter(co: Coordinator, caller: Caller, filter_id: str, body: FilterPatch) -> FilterDetails:
    """PATCH /filters/{filter_id}."""
    await co.db.read(lambda tx: _moderator(tx, co, caller))
    changes: dict[str, Any] = {
        name: value for name in body.__struct_fields__ if (value := getattr(body, name)) is not UNSET
    }
    if not changes:
        raise HordeError("NoFilterModSelected")
    if body.regex is not UNSET:
        await _check_pattern(body.regex)

    def write(tx: Tx) -> FilterDetails:
        _moderator(tx, co, caller)
        one = replace(_find(tx, filter_id), **changes)
        other = filters.by_regex(tx, one.filter_type, one.regex)
        if other is not None and other.id != one.id:
            raise ValidationFailed({"regex": "there is already a filter with this regex and type"})
        filters.update(tx, one)
        return _details(tx, one)

    changed = await co.db.write(write)
    await load_filters(co)
    return changed


async def delete_filter(co: Coordinator, caller: Caller, filter_id: str) -> None:
    """DELETE /filters/{filter_id}."""

    def write(tx: Tx) -> None:
        _moderator(tx, co, caller)
        filters.delete(tx, _find(tx, filter_id).id)

    await co.db.write(write)
    await load_filters(co)


async def judge_prompt(co: Coordinator, caller: Caller, body: FilterTest) -> PromptSuspicion:
    """POST /filters: what the filters say about a prompt."""
    await co.db.read(lambda tx: _moderator(tx, co, caller))
    found = await asyncio.to_thread(
        co.filters.suspicion, body.prompt, None if body.filter_type is UNSET else body.filter_type
    )
    return PromptSuspicion(suspicion=str(found.level), matches=found.matches)


async def _check_pattern(pattern: str) -> None:
    """On another thread: a bad pattern takes its time to be found out."""
    try:
        await asyncio.to_thread(check_pattern, pattern)
    except ValueError as error:
        raise ValidationFailed({"regex": str(error)}) from error


def _moderator(tx: Tx, co: Coordinator, caller: Caller) -> User:
    user = co.authenticate(tx, caller)
    if not user.moderator:
        raise HordeError("NotModerator")
    return user


def _find(tx: Tx, filter_id: str) -> Filter:
    one = filters.by_id(tx, filter_id)
    if one is None:
        raise HordeError("FilterNotFound", id=filter_id)
    return one


def _details(tx: Tx, one: Filter) -> FilterDetails:
    author = users.find(tx, one.user_id)
    return FilterDetails(
        id=one.id,
        regex=one.regex,
        filter_type=one.filter_type,
        description=one.description,
        replacement=one.replacement,
        user=author.alias if author else "",
    )
