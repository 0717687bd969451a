"""Rows about collections of styles."""

from __future__ import annotations

from collections.abc import Sequence

from hordenode.domain.entities import Kind
from hordenode.domain.styles import PAGE, Collection
from hordenode.store.rows import columns, placeholders, reader, values
from hordenode.store.tx import Tx, Value, statement

_collection = reader(Collection)

BY_ID = statement("collections.by_id", f"SELECT {columns(Collection)} FROM collections WHERE id = :id")
BY_NAME = statement(
    "collections.by_name",
    f"SELECT {columns(Collection)} FROM collections WHERE name = :name"
    " ORDER BY :kind IS NOT NULL AND kind <> :kind, created_ms, id LIMIT 1",
)
BY_OWNER = statement(
    "collections.by_owner", f"SELECT {columns(Collection)} FROM collections WHERE user_id = :user_id AND name = :name"
)
_LISTED = f"SELECT {columns(Collection)} FROM collections WHERE public = 1 AND (:kind IS NULL OR kind = :kind)"
POPULAR = statement(
    "collections.popular", f"{_LISTED} ORDER BY uses DESC, created_ms, id LIMIT {PAGE} OFFSET {PAGE} * (:page - 1)"
)
OLDEST = statement("collections.oldest", f"{_LISTED} ORDER BY created_ms, id LIMIT {PAGE} OFFSET {PAGE} * (:page - 1)")
INSERT = statement(
    "collections.insert", f"INSERT INTO collections ({columns(Collection)}) VALUES ({placeholders(Collection)})"
)
UPDATE = statement(
    "collections.update",
    "UPDATE collections SET name = :name, info = :info, public = :public, kind = :kind WHERE id = :id",
)
DELETE = statement("collections.delete", "DELETE FROM collections WHERE id = :id")
COUNT_USE = statement("collections.count_use", "UPDATE collections SET uses = uses + 1 WHERE id = :id")
MEMBERS = statement(
    "collections.members",
    "SELECT s.id, s.name FROM collection_styles c JOIN styles s ON s.id = c.style_id"
    " WHERE c.collection_id = :id ORDER BY c.place",
)
ADD_MEMBER = statement(
    "collections.add_member",
    "INSERT INTO collection_styles (collection_id, place, style_id) VALUES (:id, :place, :style_id)",
)
DROP_MEMBERS = statement("collections.drop_members", "DELETE FROM collection_styles WHERE collection_id = :id")


def by_id(tx: Tx, collection_id: str) -> Collection | None:
    row = tx.one(BY_ID, id=collection_id)
    return None if row is None else _collection(row)


def by_name(tx: Tx, name: str, kind: Kind | None = None) -> Collection | None:
    """The oldest collection of this name, whoever owns it; one of the wanted kind before others."""
    row = tx.one(BY_NAME, name=name, kind=kind)
    return None if row is None else _collection(row)


def by_owner(tx: Tx, user_id: int, name: str) -> Collection | None:
    row = tx.one(BY_OWNER, user_id=user_id, name=name)
    return None if row is None else _collection(row)


def listed(tx: Tx, kind: Kind | None, *, popular: bool, page: int) -> list[Collection]:
    """One page of the public collections, by use count or by age; None for both kinds."""
    return [_collection(row) for row in tx.all(POPULAR if popular else OLDEST, kind=kind, page=page)]


def insert(tx: Tx, collection: Collection, style_ids: Sequence[str]) -> None:
    tx.run(INSERT, **values(collection))
    _add_members(tx, collection.id, style_ids)


def update(tx: Tx, collection: Collection) -> None:
    """Store everything that its owner may change but the members."""
    tx.run(
        UPDATE,
        id=collection.id,
        name=collection.name,
        info=collection.info,
        public=collection.public,
        kind=collection.kind,
    )


def set_members(tx: Tx, collection_id: str, style_ids: Sequence[str]) -> None:
    tx.run(DROP_MEMBERS, id=collection_id)
    _add_members(tx, collection_id, style_ids)


def _add_members(tx: Tx, collection_id: str, style_ids: Sequence[str]) -> None:
    rows: list[dict[str, Value]] = [
        {"id": collection_id, "place": place, "style_id": style_id} for place, style_id in enumerate(style_ids)
    ]
    tx.many(ADD_MEMBER, rows)


def members(tx: Tx, collection_id: str) -> list[tuple[str, str]]:
    """(style id, style name), in the order in which they were given."""
    return [(row[0], row[1]) for row in tx.all(MEMBERS, id=collection_id)]


def count_use(tx: Tx, collection_id: str) -> None:
    tx.run(COUNT_USE, id=collection_id)


def delete(tx: Tx, collection_id: str) -> None:
    """The collection; its styles stay."""
    tx.run(DELETE, id=collection_id)
