"""Rows about styles, their models, tags and examples."""

from __future__ import annotations

from collections.abc import Sequence

from hordenode.domain.entities import Kind
from hordenode.domain.styles import PAGE, Example, Style
from hordenode.store.rows import columns, placeholders, reader, values
from hordenode.store.tx import Statement, Tx, statement

_style = reader(Style)
_example = reader(Example)

BY_ID = statement("styles.by_id", f"SELECT {columns(Style)} FROM styles WHERE id = :id")
BY_NAME = statement(
    "styles.by_name",
    f"SELECT {columns(Style)} FROM styles WHERE name = :name ORDER BY kind <> :kind, created_ms, id LIMIT 1",
)
BY_OWNER = statement(
    "styles.by_owner", f"SELECT {columns(Style)} FROM styles WHERE user_id = :user_id AND name = :name"
)
OF_USER = statement(
    "styles.of_user",
    f"SELECT {columns(Style)} FROM styles WHERE user_id = :user_id AND public >= :public ORDER BY created_ms, id",
)
_LISTED = (
    f"SELECT {columns(Style)} FROM styles WHERE kind = :kind AND public = 1"
    " AND (:tag IS NULL OR id IN (SELECT style_id FROM style_tags WHERE tag = :tag))"
    " AND (:model IS NULL OR id IN (SELECT style_id FROM style_models WHERE model = :model))"
)
POPULAR = statement(
    "styles.popular", f"{_LISTED} ORDER BY uses DESC, created_ms, id LIMIT {PAGE} OFFSET {PAGE} * (:page - 1)"
)
OLDEST = statement("styles.oldest", f"{_LISTED} ORDER BY created_ms, id LIMIT {PAGE} OFFSET {PAGE} * (:page - 1)")
INSERT = statement("styles.insert", f"INSERT INTO styles ({columns(Style)}) VALUES ({placeholders(Style)})")
UPDATE = statement(
    "styles.update",
    "UPDATE styles SET name = :name, prompt = :prompt, params = :params, info = :info, public = :public, nsfw = :nsfw,"
    " sharedkey_id = :sharedkey_id WHERE id = :id",
)
DELETE = statement("styles.delete", "DELETE FROM styles WHERE id = :id")
COUNT_USE = statement("styles.count_use", "UPDATE styles SET uses = uses + 1 WHERE id = :id")
USES_KEY = statement("styles.uses_key", "SELECT 1 FROM styles WHERE sharedkey_id = :sharedkey_id LIMIT 1")
MODELS = statement("styles.models", "SELECT model FROM style_models WHERE style_id = :id ORDER BY place")
ADD_MODEL = statement(
    "styles.add_model", "INSERT INTO style_models (style_id, place, model) VALUES (:id, :place, :word)"
)
DROP_MODELS = statement("styles.drop_models", "DELETE FROM style_models WHERE style_id = :id")
TAGS = statement("styles.tags", "SELECT tag FROM style_tags WHERE style_id = :id ORDER BY place")
ADD_TAG = statement("styles.add_tag", "INSERT INTO style_tags (style_id, place, tag) VALUES (:id, :place, :word)")
DROP_TAGS = statement("styles.drop_tags", "DELETE FROM style_tags WHERE style_id = :id")
EXAMPLE = statement("styles.example", f"SELECT {columns(Example)} FROM style_examples WHERE id = :id")
EXAMPLES = statement(
    "styles.examples", f"SELECT {columns(Example)} FROM style_examples WHERE style_id = :id ORDER BY created_ms, id"
)
ADD_EXAMPLE = statement(
    "styles.add_example", f"INSERT INTO style_examples ({columns(Example)}) VALUES ({placeholders(Example)})"
)
UPDATE_EXAMPLE = statement("styles.update_example", "UPDATE style_examples SET url = :url, main = :main WHERE id = :id")
UNSET_MAIN = statement("styles.unset_main", "UPDATE style_examples SET main = 0 WHERE style_id = :id AND main = 1")
DELETE_EXAMPLE = statement("styles.delete_example", "DELETE FROM style_examples WHERE id = :id")


def by_id(tx: Tx, style_id: str) -> Style | None:
    row = tx.one(BY_ID, id=style_id)
    return None if row is None else _style(row)


def by_name(tx: Tx, name: str, kind: Kind) -> Style | None:
    """The oldest style of this name, whoever owns it; one of the wanted kind before others."""
    row = tx.one(BY_NAME, name=name, kind=kind)
    return None if row is None else _style(row)


def by_owner(tx: Tx, user_id: int, name: str) -> Style | None:
    row = tx.one(BY_OWNER, user_id=user_id, name=name)
    return None if row is None else _style(row)


def of_user(tx: Tx, user_id: int, *, public_only: bool) -> list[Style]:
    return [_style(row) for row in tx.all(OF_USER, user_id=user_id, public=public_only)]


def listed(tx: Tx, kind: Kind, *, popular: bool, page: int, tag: str | None, model: str | None) -> list[Style]:
    """One page of the public styles, by use count or by age."""
    rows = tx.all(POPULAR if popular else OLDEST, kind=kind, page=page, tag=tag, model=model)
    return [_style(row) for row in rows]


def insert(tx: Tx, style: Style, models: Sequence[str], tags: Sequence[str]) -> None:
    tx.run(INSERT, **values(style))
    _add_words(tx, ADD_MODEL, style.id, models)
    _add_words(tx, ADD_TAG, style.id, tags)


def update(tx: Tx, style: Style, models: Sequence[str], tags: Sequence[str]) -> None:
    """Store everything that its owner may change."""
    tx.run(
        UPDATE,
        id=style.id,
        name=style.name,
        prompt=style.prompt,
        params=style.params,
        info=style.info,
        public=style.public,
        nsfw=style.nsfw,
        sharedkey_id=style.sharedkey_id,
    )
    tx.run(DROP_MODELS, id=style.id)
    tx.run(DROP_TAGS, id=style.id)
    _add_words(tx, ADD_MODEL, style.id, models)
    _add_words(tx, ADD_TAG, style.id, tags)


def _add_words(tx: Tx, st: Statement, style_id: str, words: Sequence[str]) -> None:
    tx.many(st, [{"id": style_id, "place": place, "word": word} for place, word in enumerate(words)])


def delete(tx: Tx, style_id: str) -> None:
    """The style with its models, tags, examples and places in collections."""
    tx.run(DELETE, id=style_id)


def count_use(tx: Tx, style_id: str) -> None:
    tx.run(COUNT_USE, id=style_id)


def uses_key(tx: Tx, sharedkey_id: str) -> bool:
    """Whether the shared key pays for a style."""
    return tx.one(USES_KEY, sharedkey_id=sharedkey_id) is not None


def models_of(tx: Tx, style_id: str) -> tuple[str, ...]:
    return tuple(row[0] for row in tx.all(MODELS, id=style_id))


def tags_of(tx: Tx, style_id: str) -> tuple[str, ...]:
    return tuple(row[0] for row in tx.all(TAGS, id=style_id))


def example(tx: Tx, example_id: str) -> Example | None:
    row = tx.one(EXAMPLE, id=example_id)
    return None if row is None else _example(row)


def examples_of(tx: Tx, style_id: str) -> list[Example]:
    """Oldest first."""
    return [_example(row) for row in tx.all(EXAMPLES, id=style_id)]


def save_example(tx: Tx, example: Example, *, new: bool) -> None:
    """A new example, or a changed one; a main one takes that from the others."""
    if example.main:
        tx.run(UNSET_MAIN, id=example.style_id)
    if new:
        tx.run(ADD_EXAMPLE, **values(example))
    else:
        tx.run(UPDATE_EXAMPLE, id=example.id, url=example.url, main=example.main)


def delete_example(tx: Tx, example_id: str) -> None:
    tx.run(DELETE_EXAMPLE, id=example_id)
