"""Collections of styles (contract 13)."""

from __future__ import annotations

from typing import Any

from msgspec import UNSET
from msgspec.structs import replace

from hordenode.coordinator import styling
from hordenode.coordinator.context import Caller, Coordinator
from hordenode.coordinator.styles import check_keeper, check_may_own, check_name, check_page
from hordenode.domain.entities import Kind, User
from hordenode.domain.styles import Collection, Style
from hordenode.protocol.errors import HordeError
from hordenode.protocol.styles import (
    CollectionDetails,
    CollectionInput,
    CollectionMember,
    CollectionPatch,
    CollectionsQuery,
    StyleModified,
)
from hordenode.store import collections
from hordenode.store.tx import Tx


async def list_collections(co: Coordinator, query: CollectionsQuery) -> list[CollectionDetails]:
    """GET /collections: public ones, 25 per page."""
    popular = check_page(query.sort, query.page)
    if query.type not in ("all", "image", "text"):
        raise HordeError("BadRequest", reason="type must be 'all', 'image' or 'text'.")
    kind = None if query.type == "all" else Kind(query.type)

    def read(tx: Tx) -> list[CollectionDetails]:
        return [_details(tx, found) for found in collections.listed(tx, kind, popular=popular, page=query.page)]

    return await co.db.read(read)


async def collection_by_id(co: Coordinator, collection_id: str) -> CollectionDetails:
    """GET /collections/{collection_id}: private ones too."""
    return await co.db.read(lambda tx: _details(tx, _find(tx, collection_id)))


async def collection_by_name(co: Coordinator, name: str) -> CollectionDetails:
    """GET /collection_by_name/{collection_name}: by all the forms that a request may name it by."""

    def read(tx: Tx) -> CollectionDetails:
        found = styling.find_collection(tx, name)
        if found is None:
            raise HordeError("CollectionNotFound", name=name)
        return _details(tx, found)

    return await co.db.read(read)


async def create_collection(co: Coordinator, caller: Caller, body: CollectionInput) -> StyleModified:
    """POST /collections: by any registered user, of anybody's styles; its kind is theirs ([FIX] 25)."""

    def write(tx: Tx) -> StyleModified:
        user = co.authenticate(tx, caller)
        check_may_own(user)
        members = _members(tx, body.styles)
        collection = Collection(
            id=co.ids.uuid(),
            kind=members[0].kind,
            user_id=user.id,
            name=body.name,
            created_ms=co.clock.now_ms(),
            info=body.info or None,
            public=body.public,
        )
        _check_name(tx, user, collection)
        collections.insert(tx, collection, [style.id for style in members])
        return StyleModified(id=collection.id)

    return await co.db.write(write)


async def edit_collection(co: Coordinator, caller: Caller, collection_id: str, body: CollectionPatch) -> StyleModified:
    """PATCH /collections/{collection_id}: by its owner; what is not sent stays as it is ([FIX] 13)."""

    def write(tx: Tx) -> StyleModified:
        user = co.authenticate(tx, caller)
        before = _find(tx, collection_id)
        if before.user_id != user.id:
            raise HordeError("Forbidden", reason="Only its owner can change a collection.")
        changes: dict[str, Any] = {
            name: value for name in ("name", "info", "public") if (value := getattr(body, name)) is not UNSET
        }
        if body.styles is not UNSET:
            members = _members(tx, body.styles)
            changes["kind"] = members[0].kind
            collections.set_members(tx, before.id, [style.id for style in members])
        after = replace(before, **changes)
        _check_name(tx, user, after)
        collections.update(tx, after)
        return StyleModified(id=after.id)

    return await co.db.write(write)


async def delete_collection(co: Coordinator, caller: Caller, collection_id: str) -> None:
    """DELETE /collections/{collection_id}: by its owner or a moderator; its styles stay."""

    def write(tx: Tx) -> None:
        user = co.authenticate(tx, caller)
        collection = _find(tx, collection_id)
        check_keeper(user, collection.user_id)
        collections.delete(tx, collection.id)

    await co.db.write(write)


def _find(tx: Tx, collection_id: str) -> Collection:
    collection = collections.by_id(tx, collection_id)
    if collection is None:
        raise HordeError("CollectionNotFound", name=collection_id)
    return collection


def _members(tx: Tx, names: tuple[str, ...]) -> list[Style]:
    """At least one style, all of one kind, each once."""
    found: dict[str, Style] = {}
    for name in names:
        first = next(iter(found.values()), None)
        style = styling.find_style(tx, name, first.kind if first else Kind.IMAGE)
        if style is None:
            raise HordeError("BadRequest", reason=f"There is no style '{name}'.")
        if first is not None and style.kind is not first.kind:
            raise HordeError("BadRequest", reason="All styles of a collection must be of one kind, image or text.")
        found[style.id] = style
    if not found:
        raise HordeError("BadRequest", reason="A collection needs at least one style.")
    return list(found.values())


def _check_name(tx: Tx, user: User, collection: Collection) -> None:
    check_name(collection.name)
    other = collections.by_owner(tx, user.id, collection.name)
    if other is not None and other.id != collection.id:
        raise HordeError("BadRequest", reason=f"You already have a collection named '{collection.name}'.")


def _details(tx: Tx, collection: Collection) -> CollectionDetails:
    return CollectionDetails(
        id=collection.id,
        name=collection.name,
        type=collection.type,
        info=collection.info,
        public=collection.public,
        styles=tuple(CollectionMember(id=id_, name=name) for id_, name in collections.members(tx, collection.id)),
        use_count=collection.uses,
    )
