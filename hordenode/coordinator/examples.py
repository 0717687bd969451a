"""Example pictures of image styles, by URL (contract 13)."""

from __future__ import annotations

import msgspec
from msgspec.structs import replace

from hordenode.coordinator.context import Caller, Coordinator
from hordenode.coordinator.styles import check_keeper, find
from hordenode.domain.entities import Kind
from hordenode.domain.styles import MAX_EXAMPLES, Example, Style
from hordenode.protocol.errors import HordeError
from hordenode.protocol.styles import StyleExampleInput, StyleExamplePatch, StyleModified
from hordenode.store import styles
from hordenode.store.tx import Tx


async def add_example(co: Coordinator, caller: Caller, style_id: str, body: StyleExampleInput) -> StyleModified:
    """POST /styles/image/{style_id}/example; answers the example's id."""

    def write(tx: Tx) -> StyleModified:
        style = _kept_style(tx, co, caller, style_id)
        others = styles.examples_of(tx, style.id)
        if len(others) >= MAX_EXAMPLES:
            raise HordeError("Forbidden", reason=f"A style has at most {MAX_EXAMPLES} examples.")
        example = Example(co.ids.uuid(), style.id, body.url, co.clock.now_ms(), body.primary)
        _check_url(example, others)
        styles.save_example(tx, example, new=True)
        return StyleModified(id=example.id)

    return await co.db.write(write)


async def edit_example(
    co: Coordinator, caller: Caller, style_id: str, example_id: str, body: StyleExamplePatch
) -> StyleModified:
    """PATCH /styles/image/{style_id}/example/{example_id}: what is not sent stays as it is ([FIX] 25)."""

    def write(tx: Tx) -> StyleModified:
        style = _kept_style(tx, co, caller, style_id)
        before = _find(tx, style, example_id)
        example = replace(
            before,
            url=before.url if isinstance(body.url, msgspec.UnsetType) else body.url,
            main=before.main if isinstance(body.primary, msgspec.UnsetType) else body.primary,
        )
        _check_url(example, styles.examples_of(tx, style.id))
        styles.save_example(tx, example, new=False)
        return StyleModified(id=example.id)

    return await co.db.write(write)


async def delete_example(co: Coordinator, caller: Caller, style_id: str, example_id: str) -> None:
    """DELETE /styles/image/{style_id}/example/{example_id}; the oldest of the others becomes primary in its place."""

    def write(tx: Tx) -> None:
        style = _kept_style(tx, co, caller, style_id)
        example = _find(tx, style, example_id)
        styles.delete_example(tx, example.id)
        others = styles.examples_of(tx, style.id)
        if example.main and others:
            styles.save_example(tx, replace(others[0], main=True), new=False)

    await co.db.write(write)


def _kept_style(tx: Tx, co: Coordinator, caller: Caller, style_id: str) -> Style:
    """The image style, which the caller owns or moderates."""
    user = co.authenticate(tx, caller)
    style = find(tx, style_id, Kind.IMAGE)
    check_keeper(user, style.user_id)
    return style


def _find(tx: Tx, style: Style, example_id: str) -> Example:
    example = styles.example(tx, example_id)
    if example is None:
        raise HordeError("Style exampleNotFound", id=example_id)
    if example.style_id != style.id:
        raise HordeError("BadRequest", reason="This example belongs to another style.")
    return example


def _check_url(example: Example, others: list[Example]) -> None:
    if not example.url.startswith("https://"):
        raise HordeError("BadRequest", reason="The url of an example must start with https://.")
    if any(other.url == example.url and other.id != example.id for other in others):
        raise HordeError("BadRequest", reason="This style already has an example with this url.")
