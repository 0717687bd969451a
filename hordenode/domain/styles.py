"""Styles: named models, parameters and prompt templates, and collections of them (contract 13)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

import msgspec

from hordenode.domain.entities import Kind

MAX_MODELS = 5
MAX_TAGS = 10
MAX_EXAMPLES = 4
PAGE = 25
SEPARATOR = "::"
STYLE_REWARD = 2000  # thousandths of a kudos that a style's owner gets for each request of others
_KINDS = ("style", "collection")
_BRACED = re.compile(r"\{(\w*)\}")


class _Named(msgspec.Struct, frozen=True):
    """What styles and collections have in common: whose they are, and for what kind of request."""

    id: str
    kind: Kind
    user_id: int
    name: str

    @property
    def type(self) -> Literal["image", "text"]:
        return "text" if self.kind is Kind.TEXT else "image"


class Style(_Named, frozen=True):
    """A style without its models, tags and examples. `params`: the wire's parameters as JSON text."""

    prompt: str
    params: str
    created_ms: int
    info: str | None = None
    public: bool = True
    nsfw: bool = False
    sharedkey_id: str | None = None
    uses: int = 0


class Example(msgspec.Struct, frozen=True):
    """A picture that shows what a style does; at most one of a style is its `main` one."""

    id: str
    style_id: str
    url: str
    created_ms: int
    main: bool = False


class Collection(_Named, frozen=True):
    """Styles of one kind, of which a request gets a random one."""

    created_ms: int
    info: str | None = None
    public: bool = True
    uses: int = 0


@dataclass(frozen=True, slots=True)
class StyleName:
    """How a style or a collection is called: by name, perhaps by whose it is and which of the two it is."""

    name: str
    alias: str | None = None
    style: bool = True
    collection: bool = True


def parse_name(text: str) -> StyleName | None:
    """`name`, `style::name`, `alias::name`, `style::alias::name` or `alias::style::name`; None for anything longer.

    ([FIX] the reference prints the last form and does not understand it.)
    """
    *words, name = text.split(SEPARATOR)
    if len(words) > 2:
        return None
    kinds = [word for word in words if word in _KINDS][:1]
    if kinds:
        words.remove(kinds[0])
    if len(words) > 1:
        return None
    return StyleName(name, words[0] if words else None, "collection" not in kinds, "style" not in kinds)


def owner_id(alias: str) -> int | None:
    """The user id in an alias: what follows its last `#`, or all of it (contract 2.1)."""
    digits = alias.rpartition("#")[2]
    return int(digits) if digits.isascii() and digits.isdecimal() and len(digits) < 11 else None


def image_prompt(template: str, prompt: str) -> str:
    """An image request's prompt put into a style's template; braces other than {p} and {np} stay."""
    positive, found, negative = prompt.partition("###")
    if found and negative and "###" not in template and "###" not in negative:
        negative = f"###{negative}"
    words = {"p": positive, "np": negative}
    return _BRACED.sub(lambda match: words.get(match[1], match[0]), template)


def text_prompt(template: str, prompt: str) -> str:
    """A text request's prompt put into a style's template; other names in braces vanish."""
    return _BRACED.sub(lambda match: prompt if match[1] == "p" else "", template)
