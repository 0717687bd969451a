"""A request made with a style: which one it is, what it changes, and what its owner gets (contract 13).

[FIX] What a style cannot say (seed, control_type, lengths …) stays the request's, and so does `n`; the reference
forgets it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeVar

import msgspec
from msgspec import UNSET
from msgspec.structs import asdict, replace

from hordenode.coordinator.context import Coordinator
from hordenode.domain import ledger as postings
from hordenode.domain.entities import Kind, WaitingPrompt
from hordenode.domain.styles import (
    STYLE_REWARD,
    Collection,
    Style,
    image_prompt,
    owner_id,
    parse_name,
    text_prompt,
)
from hordenode.protocol.errors import HordeError
from hordenode.protocol.image import ImageParams, ImageRequest, ImageStyleParams
from hordenode.protocol.text import TextParams, TextRequest, TextStyleInputParams
from hordenode.store import collections, ledger, styles, users
from hordenode.store.tx import Tx

P = TypeVar("P", ImageParams, TextParams)

IMAGE_PARAMS = msgspec.json.Decoder(ImageStyleParams)
TEXT_PARAMS = msgspec.json.Decoder(TextStyleInputParams)
SIZES = ("width", "height", "max_length", "max_context_length")


@dataclass(frozen=True, slots=True)
class Applied:
    """The style of a request, with its models, and the collection that it was drawn from."""

    style: Style
    models: tuple[str, ...]
    collection: Collection | None = None


async def style_image(co: Coordinator, body: ImageRequest) -> tuple[ImageRequest, Applied | None]:
    """The request as its style makes it. StyleNotFound, BadRequest for a style of the other kind."""
    if body.style is UNSET:
        return body, None
    applied = await _find(co, body.style, Kind.IMAGE)
    params = IMAGE_PARAMS.decode(applied.style.params)
    return replace(
        body,
        prompt=image_prompt(applied.style.prompt, body.prompt),
        params=_restyle(body.params or ImageParams(), params),
        models=applied.models,
        nsfw=body.nsfw or applied.style.nsfw,
    ), applied


async def style_text(co: Coordinator, body: TextRequest) -> tuple[TextRequest, Applied | None]:
    """Likewise. An empty prompt stays empty, so that it is refused as one."""
    if body.style is UNSET:
        return body, None
    applied = await _find(co, body.style, Kind.TEXT)
    return replace(
        body,
        prompt=text_prompt(applied.style.prompt, body.prompt) if body.prompt else "",
        params=_restyle(body.params or TextParams(), TEXT_PARAMS.decode(applied.style.params)),
        models=applied.models,
        nsfw=body.nsfw or applied.style.nsfw,
    ), applied


def _restyle(asked: P, style: ImageStyleParams | TextStyleInputParams) -> P:
    """All that a style can say is the style's, whether it says it or not; sizes are only when it says them."""
    said = {name: value for name, value in asdict(style).items() if value is not UNSET or name not in SIZES}
    return replace(asked, **said)


async def _find(co: Coordinator, text: str, kind: Kind) -> Applied:
    def read(tx: Tx) -> Applied:
        found = find_style(tx, text, kind) or find_collection(tx, text, kind)
        if found is None:
            raise HordeError("StyleNotFound", name=text)
        if found.kind is not kind:
            raise HordeError("BadRequest", reason=f"'{text}' is for {found.kind}s, not for {kind}s.")
        if isinstance(found, Style):
            return Applied(found, styles.models_of(tx, found.id))
        return _draw(tx, co, found, text)

    return await co.db.read(read)


def _draw(tx: Tx, co: Coordinator, collection: Collection, text: str) -> Applied:
    """A random member; one whose last style was deleted has none."""
    members = collections.members(tx, collection.id)
    style = styles.by_id(tx, members[co.ids.seed() % len(members)][0]) if members else None
    if style is None:
        raise HordeError("StyleNotFound", name=text)
    return Applied(style, styles.models_of(tx, style.id), collection)


def find_style(tx: Tx, text: str, kind: Kind) -> Style | None:
    """A style by id, name, `style::name` or `alias::name`, of either kind; of two with one name that of `kind`."""
    found = styles.by_id(tx, text)
    name = parse_name(text)
    if found is not None or name is None or not name.style:
        return found
    if name.alias is None:
        return styles.by_name(tx, name.name, kind)
    user_id = owner_id(name.alias)
    return None if user_id is None else styles.by_owner(tx, user_id, name.name)


def find_collection(tx: Tx, text: str, kind: Kind | None = None) -> Collection | None:
    """A collection likewise, by `collection::name` too."""
    found = collections.by_id(tx, text)
    name = parse_name(text)
    if found is not None or name is None or not name.collection:
        return found
    if name.alias is None:
        return collections.by_name(tx, name.name, kind)
    user_id = owner_id(name.alias)
    return None if user_id is None else collections.by_owner(tx, user_id, name.name)


def book(tx: Tx, co: Coordinator, applied: Applied, wp: WaitingPrompt) -> None:
    """At activation ([FIX] 3.1): use counts, and what the owner gets when others use its style."""
    styles.count_use(tx, applied.style.id)
    if applied.collection is not None:
        collections.count_use(tx, applied.collection.id)
    owner = users.find(tx, applied.style.user_id)
    if owner is None or owner.id == wp.user_id:
        return
    users.record_styled(tx, owner.id, wp.kind, wp.jobs)
    if co.rules.kudos:
        earned = postings.grant(owner, ledger.balance(tx, owner.id), STYLE_REWARD, "style", applied.style.name)
        ledger.post(tx, earned, wp.created_ms, request_id=wp.id)
        ledger.add_details(tx, owner.id, ledger.KudosDetails(styled=STYLE_REWARD))


def pays_owner(applied: Applied | None, user_id: int) -> bool:
    """Whether the activation charge contains the style owner's share."""
    return applied is not None and applied.style.user_id != user_id


def widened(params: Any, kind: type[P]) -> P:
    """A style's parameters as those of a request."""
    return kind(**asdict(params))
