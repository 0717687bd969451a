"""Styles as their owners keep them and others see them (contract 13)."""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import UNSET
from msgspec.structs import replace

from hordenode.coordinator import intake, styling
from hordenode.coordinator.context import Caller, Coordinator
from hordenode.coordinator.sharedkeys import details as shared_key_details
from hordenode.domain import validation
from hordenode.domain.entities import Kind, User
from hordenode.domain.styles import MAX_MODELS, MAX_TAGS, SEPARATOR, Style
from hordenode.protocol.errors import HordeError
from hordenode.protocol.image import ImageParams, ImageRequest
from hordenode.protocol.styles import (
    ImageStyle,
    StyleExample,
    StyleInput,
    StyleModified,
    StylePatch,
    StylesQuery,
    TextStyle,
)
from hordenode.protocol.text import TextParams, TextRequest, TextStyleParams
from hordenode.store import sharedkeys, styles, users
from hordenode.store.tx import Tx

MOST_PAGES = 100_000
UNKNOWN = {Kind.IMAGE: "Image styleNotFound", Kind.TEXT: "Text styleNotFound"}
SHOWN_TEXT_PARAMS = msgspec.json.Decoder(TextStyleParams)
PLACEHOLDERS = {Kind.IMAGE: ("{p}", "{np}"), Kind.TEXT: ("{p}",)}


async def list_styles(co: Coordinator, kind: Kind, query: StylesQuery) -> list[ImageStyle | TextStyle]:
    """GET /styles/{kind}: public ones, 25 per page."""
    popular = check_page(query.sort, query.page)

    def read(tx: Tx) -> list[ImageStyle | TextStyle]:
        found = styles.listed(
            tx, kind, popular=popular, page=query.page, tag=query.tag or None, model=query.model or None
        )
        return [_details(tx, style) for style in found]

    return await co.db.read(read)


def check_page(sort: str, page: int) -> bool:
    """Whether a list is sorted by use count. BadRequest for another sort than the two there are, or an odd page."""
    if sort not in ("popular", "age"):
        raise HordeError("BadRequest", reason="sort must be 'popular' or 'age'.")
    if not 1 <= page <= MOST_PAGES:
        raise HordeError("BadRequest", reason=f"page must be between 1 and {MOST_PAGES}.")
    return sort == "popular"


async def style_by_id(co: Coordinator, kind: Kind, style_id: str) -> ImageStyle | TextStyle:
    """GET /styles/{kind}/{style_id}: private ones too."""
    return await co.db.read(lambda tx: _details(tx, find(tx, style_id, kind, unknown=UNKNOWN[kind])))


async def style_by_name(co: Coordinator, kind: Kind, name: str) -> ImageStyle | TextStyle:
    """GET /styles/{kind}_by_name/{style_name}: by all the forms that a request may name it by."""

    def read(tx: Tx) -> ImageStyle | TextStyle:
        style = styling.find_style(tx, name, kind)
        if style is None:
            raise HordeError("StyleNotFound", name=name)
        return _details(tx, _of_kind(style, kind))

    return await co.db.read(read)


async def create_style(co: Coordinator, caller: Caller, kind: Kind, body: StyleInput) -> StyleModified:
    """POST /styles/{kind}: by trusted users and customizers."""

    def write(tx: Tx) -> StyleModified:
        user = co.authenticate(tx, caller)
        check_may_own(user)
        if not (user.trusted or user.customizer):
            raise HordeError("StylesRequiresCustomizer")
        style = Style(
            id=co.ids.uuid(),
            kind=kind,
            user_id=user.id,
            name=body.name,
            prompt=body.prompt,
            params=msgspec.json.encode(body.params).decode(),
            created_ms=co.clock.now_ms(),
            info=body.info or None,
            public=body.public,
            nsfw=body.nsfw,
            sharedkey_id=_own_key(tx, user, body.sharedkey or None),
        )
        models, tags = _unique(body.models), _unique(body.tags)
        _check(tx, co, user, style, models, tags)
        styles.insert(tx, style, models, tags)
        return StyleModified(id=style.id)

    return await co.db.write(write)


async def edit_style(co: Coordinator, caller: Caller, kind: Kind, style_id: str, body: StylePatch) -> StyleModified:
    """PATCH /styles/{kind}/{style_id}: by its owner; what is not sent stays as it is."""

    def write(tx: Tx) -> StyleModified:
        user = co.authenticate(tx, caller)
        before = find(tx, style_id, kind)
        if before.user_id != user.id:
            raise HordeError("Forbidden", reason="Only its owner can change a style.")
        changes: dict[str, Any] = {
            name: value
            for name in ("name", "info", "prompt", "public", "nsfw")
            if (value := getattr(body, name)) is not UNSET
        }
        if body.params is not UNSET:
            changes["params"] = msgspec.json.encode(body.params).decode()
        if body.sharedkey is not UNSET:
            changes["sharedkey_id"] = _own_key(tx, user, body.sharedkey)
        style = replace(before, **changes)
        models = styles.models_of(tx, style.id) if body.models is UNSET else _unique(body.models)
        tags = styles.tags_of(tx, style.id) if body.tags is UNSET else _unique(body.tags)
        _check(tx, co, user, style, models, tags)
        styles.update(tx, style, models, tags)
        return StyleModified(id=style.id)

    return await co.db.write(write)


async def delete_style(co: Coordinator, caller: Caller, kind: Kind, style_id: str) -> None:
    """DELETE /styles/{kind}/{style_id}: by its owner or a moderator; requests made with it live on."""

    def write(tx: Tx) -> None:
        user = co.authenticate(tx, caller)
        if user.anonymous:
            raise HordeError("StylesAnonForbidden")
        style = styles.by_id(tx, style_id)
        if style is None or style.kind is not kind:
            raise HordeError("StyleNotFound", name=style_id)
        check_keeper(user, style.user_id)
        styles.delete(tx, style.id)

    await co.db.write(write)


def find(tx: Tx, style_id: str, kind: Kind, *, unknown: str = "StyleNotFound") -> Style:
    """The style with this id; `unknown` when there is none, BadRequest for one of the other kind."""
    style = styles.by_id(tx, style_id)
    if style is None:
        raise HordeError(unknown, id=style_id, name=style_id)
    return _of_kind(style, kind)


def check_may_own(user: User) -> None:
    """Anonymous and deleted users own neither styles nor collections."""
    if user.anonymous:
        raise HordeError("StylesAnonForbidden")
    if user.deleted:
        raise HordeError("DeletedUser")


def check_keeper(user: User, owner_id: int) -> None:
    """What owners and moderators may do."""
    if user.id != owner_id and not user.moderator:
        raise HordeError("Forbidden", reason="Only its owner or a moderator can do this.")


def check_name(name: str) -> None:
    """A name that holds the separator could not be told from `alias::name`."""
    if SEPARATOR in name:
        raise HordeError("BadRequest", reason=f"A name cannot contain '{SEPARATOR}'.")


def _of_kind(style: Style, kind: Kind) -> Style:
    if style.kind is not kind:
        raise HordeError("BadRequest", reason=f"'{style.name}' is a style for {style.kind}s, not for {kind}s.")
    return style


def _unique(words: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(words))


def _own_key(tx: Tx, user: User, sharedkey: str | None) -> str | None:
    """A style may only bind a shared key of its own user ([FIX] 13)."""
    if sharedkey is None:
        return None
    key = sharedkeys.find(tx, sharedkey)
    if key is None:
        raise HordeError("BadRequest", reason="There is no such shared key.")
    if key.user_id != user.id:
        raise HordeError("Forbidden", reason="A style can only use a shared key of its own user.")
    return key.id


def _check(tx: Tx, co: Coordinator, user: User, style: Style, models: tuple[str, ...], tags: tuple[str, ...]) -> None:
    """Everything that a style must be, new or changed."""
    check_name(style.name)
    other = styles.by_owner(tx, user.id, style.name)
    if other is not None and other.id != style.id:
        raise HordeError("BadRequest", reason=f"You already have a style named '{style.name}'.")
    if not 1 <= len(models) <= MAX_MODELS:
        raise HordeError("BadRequest", reason=f"A style names 1 to {MAX_MODELS} models.")
    if len(tags) > MAX_TAGS:
        raise HordeError("BadRequest", reason=f"A style has at most {MAX_TAGS} tags.")
    missing = [word for word in PLACEHOLDERS[style.kind] if word not in style.prompt]
    if missing:
        raise HordeError("BadRequest", reason=f"The prompt of a style must contain {' and '.join(missing)}.")
    _check_params(co, user, style, models)


def _check_params(co: Coordinator, user: User, style: Style, models: tuple[str, ...]) -> None:
    """The rules of requests, as far as a style can break them."""
    if style.kind is Kind.IMAGE:
        image = styling.widened(styling.IMAGE_PARAMS.decode(style.params), ImageParams)
        request = ImageRequest(prompt=style.prompt, params=image, models=models)
        spec = intake.image_spec(request, default_model_offered=False)
        validation.check_image(spec, user, co.baselines, validation.STYLE_RULES)
        return
    text = styling.widened(styling.TEXT_PARAMS.decode(style.params), TextParams)
    validation.check_text(intake.text_spec(TextRequest(prompt=style.prompt, params=text, models=models)))
    validation.check_special_models(models, user)


def _details(tx: Tx, style: Style) -> ImageStyle | TextStyle:
    owner = users.find(tx, style.user_id)
    common: dict[str, Any] = {
        "id": style.id,
        "name": style.name,
        "info": style.info or UNSET,
        "prompt": style.prompt,
        "public": style.public,
        "nsfw": style.nsfw,
        "tags": styles.tags_of(tx, style.id),
        "models": styles.models_of(tx, style.id),
        "use_count": style.uses,
        "creator": owner.alias if owner else "",
    }
    if style.kind is Kind.TEXT:
        return TextStyle(params=SHOWN_TEXT_PARAMS.decode(style.params), **common)
    examples = tuple(
        StyleExample(id=example.id, url=example.url, primary=example.main)
        for example in styles.examples_of(tx, style.id)
    )
    key = None if style.sharedkey_id is None else sharedkeys.find(tx, style.sharedkey_id)
    return ImageStyle(
        params=styling.IMAGE_PARAMS.decode(style.params),
        examples=examples,
        shared_key=UNSET if key is None or owner is None else shared_key_details(key, owner),
        **common,
    )
