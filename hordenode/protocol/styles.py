"""Styles and collections of them (behaviour.md 13)."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import UNSET, Meta, UnsetType

from hordenode.protocol.common import Warning_
from hordenode.protocol.image import ImageStyleParams
from hordenode.protocol.sharedkeys import SharedKeyDetails
from hordenode.protocol.text import TextStyleInputParams, TextStyleParams
from hordenode.protocol.wire import Answer, Int64, Request

Words = tuple[Annotated[str, Meta(min_length=1)], ...]
Tags = tuple[Annotated[str, Meta(min_length=1, max_length=25)], ...]
Name = Annotated[str, Meta(min_length=1, max_length=100)]
NewInfo = Annotated[str, Meta(min_length=10, max_length=1000)]
Info = Annotated[str, Meta(min_length=1, max_length=1000)]
Uuid = Annotated[str, Meta(min_length=36, max_length=36)]
ImageTemplate = Annotated[str, Meta(min_length=7)]


class _NewStyle(Request, frozen=True, kw_only=True):
    """What new styles of both kinds have. How many models they name is a rule of the horde, not of the schema."""

    name: Name
    info: NewInfo | UnsetType = UNSET
    public: bool = True
    nsfw: bool = False
    tags: Tags = ()
    models: Words = ()


class ImageStyleInput(_NewStyle, frozen=True, kw_only=True):
    """A new image style."""

    prompt: ImageTemplate = "{p}{np}"
    params: ImageStyleParams = ImageStyleParams()
    sharedkey: Uuid | UnsetType = UNSET


class TextStyleInput(_NewStyle, frozen=True, kw_only=True):
    """A new text style."""

    prompt: Annotated[str, Meta(min_length=3)] = "{p}"
    params: TextStyleInputParams = TextStyleInputParams()
    sharedkey: str | UnsetType = UNSET


class _StyleChange(Request, frozen=True, kw_only=True):
    """Changes to a style of either kind: what is absent stays as it is. params are replaced as a whole."""

    name: Name | UnsetType = UNSET
    info: Info | UnsetType = UNSET
    prompt: ImageTemplate | UnsetType = UNSET
    public: bool | UnsetType = UNSET
    nsfw: bool | UnsetType = UNSET
    tags: Tags | UnsetType = UNSET
    models: Words | UnsetType = UNSET


class ImageStylePatch(_StyleChange, frozen=True, kw_only=True):
    """Changes to an image style."""

    params: ImageStyleParams | UnsetType = UNSET
    sharedkey: Uuid | UnsetType = UNSET


class TextStylePatch(_StyleChange, frozen=True, kw_only=True):
    """Changes to a text style."""

    params: TextStyleInputParams | UnsetType = UNSET
    sharedkey: str | UnsetType = UNSET


StyleInput = ImageStyleInput | TextStyleInput
StylePatch = ImageStylePatch | TextStylePatch


class StyleExampleInput(Request, frozen=True, kw_only=True):
    """A new example picture of an image style. That the url is https is a rule of the horde."""

    url: str
    primary: bool


class StyleExamplePatch(Request, frozen=True, kw_only=True):
    """Changes to an example: what is absent stays as it is."""

    url: str | UnsetType = UNSET
    primary: bool | UnsetType = UNSET


class CollectionInput(Request, frozen=True, kw_only=True):
    """A new collection; styles by id or name."""

    name: Name
    styles: Words
    info: Info | UnsetType = UNSET
    public: bool = True


class CollectionPatch(Request, frozen=True, kw_only=True):
    """Changes to a collection: what is absent stays as it is. styles are replaced as a whole."""

    name: Name | UnsetType = UNSET
    styles: Words | UnsetType = UNSET
    info: Info | UnsetType = UNSET
    public: bool | UnsetType = UNSET


class StylesQuery(Request, frozen=True, kw_only=True):
    """Query of a list of styles. A bad sort is a BadRequest, not a validation error."""

    sort: str = "popular"
    page: Int64 = 1
    tag: str | UnsetType = UNSET
    model: str | UnsetType = UNSET


class CollectionsQuery(Request, frozen=True, kw_only=True):
    """Query of the list of collections, likewise."""

    sort: str = "popular"
    page: Int64 = 1
    type: str = "all"


class StyleExample(Answer, frozen=True, kw_only=True):
    """A picture that shows what a style does."""

    id: str
    url: str
    primary: bool


class _StyleDetails(Answer, frozen=True, kw_only=True):
    """A style of either kind as anybody sees it."""

    id: str
    name: str
    info: str | UnsetType = UNSET
    prompt: str
    public: bool
    nsfw: bool
    tags: tuple[str, ...]
    models: tuple[str, ...]
    use_count: int
    creator: str


class ImageStyle(_StyleDetails, frozen=True, kw_only=True):
    """An image style as anybody sees it."""

    params: ImageStyleParams
    examples: tuple[StyleExample, ...]
    shared_key: SharedKeyDetails | UnsetType = UNSET


class TextStyle(_StyleDetails, frozen=True, kw_only=True):
    """A text style as anybody sees it."""

    params: TextStyleParams


class StyleModified(Answer, frozen=True, kw_only=True):
    """A style, an example or a collection was made or changed; id says which."""

    id: str
    message: Literal["OK"] = "OK"
    warnings: tuple[Warning_, ...] | UnsetType = UNSET


class CollectionMember(Answer, frozen=True, kw_only=True):
    """A style in a collection."""

    name: str
    id: str


class CollectionDetails(Answer, frozen=True, kw_only=True):
    """A collection as anybody sees it; who made it is not shown."""

    id: str
    name: str
    type: Literal["image", "text"]
    info: str | None = None
    public: bool
    styles: tuple[CollectionMember, ...]
    use_count: int
