"""What the horde's filters make of a prompt (contract 3.1, check 16, and 17). Only called where there are filters."""

from __future__ import annotations

import asyncio

from hordenode.coordinator import house
from hordenode.coordinator.context import Caller, Coordinator
from hordenode.domain.entities import Kind, User
from hordenode.domain.filters import NEGATIVE, SUSPICIOUS
from hordenode.protocol.errors import HordeError
from hordenode.store import suspicions
from hordenode.store.tx import Tx

LONGEST_REPLACED = 7000  # characters of a positive prompt


async def screened(co: Coordinator, caller: Caller, user: User, kind: Kind, prompt: str, *, replace: bool) -> str:
    """The prompt as it may be used. Matching runs on another thread, since a pattern may take its time.

    replace: the request wants a suspicious prompt cleaned, not refused. Flagged users' prompts are cleaned anyhow.
    Raises CorruptPrompt, and BadRequest for what is too long to clean.
    """
    suspicious = False
    if kind is Kind.IMAGE:
        found = await asyncio.to_thread(co.filters.suspicion, prompt)
        suspicious = found.level >= SUSPICIOUS
    if not suspicious and not user.flagged:
        return prompt
    if suspicious and not (replace or user.education):
        raise await _corrupt(co, caller, user)
    if suspicious and len(prompt.partition(NEGATIVE)[0]) > LONGEST_REPLACED:
        raise HordeError("BadRequest", reason=f"This prompt is only accepted up to {LONGEST_REPLACED} characters.")
    cleaned = await asyncio.to_thread(co.filters.replaced, prompt)
    if cleaned is None:
        raise await _corrupt(co, caller, user)
    return cleaned


async def _corrupt(co: Coordinator, caller: Caller, user: User) -> HordeError:
    """The refusal, which is remembered against the user and sends the address outside for some minutes."""
    now = co.clock.now_ms()

    def remember(tx: Tx) -> str:
        if not user.anonymous:
            suspicions.add(tx, user.id, None, "CorruptPrompt", now, again=True)
        return co.address_of(tx, caller)

    await house.offend(co, await co.db.write(remember))
    return HordeError("CorruptPrompt")
