"""Prompt filters as moderators keep them (behaviour.md 17)."""

from __future__ import annotations

from typing import Annotated

from msgspec import UNSET, Meta, UnsetType

from hordenode.protocol.wire import Answer, Int64, Request

FilterType = Annotated[int, Meta(ge=10, le=29)]


class FilterInput(Request, frozen=True, kw_only=True):
    """A new filter. regex: without regard to case; replacement: what a match of a type 10 filter becomes."""

    regex: str
    filter_type: FilterType
    description: str | UnsetType = UNSET
    replacement: str = ""


class FilterPatch(Request, frozen=True, kw_only=True):
    """Changes to a filter: what is absent stays as it is."""

    regex: str | UnsetType = UNSET
    filter_type: FilterType | UnsetType = UNSET
    description: str | UnsetType = UNSET
    replacement: str | UnsetType = UNSET


class FilterTest(Request, frozen=True, kw_only=True):
    """A prompt to judge by all filters, or by those of one type."""

    prompt: str
    filter_type: Int64 | UnsetType = UNSET


class FiltersQuery(Request, frozen=True, kw_only=True):
    """Query of the list of filters: of this type, with this text in the regex."""

    filter_type: Int64 | UnsetType = UNSET
    contains: str | UnsetType = UNSET


class FilterRegexQuery(Request, frozen=True, kw_only=True):
    """Query of the list of regexes."""

    filter_type: Int64 | UnsetType = UNSET


class FilterDetails(Answer, frozen=True, kw_only=True):
    """A filter. user: who made it."""

    id: str
    regex: str
    filter_type: int
    description: str | None = None
    replacement: str | None = None
    user: str


class FilterRegex(Answer, frozen=True, kw_only=True):
    """All filters of one type as one regex; absent when there are none."""

    filter_type: int
    regex: str | UnsetType = UNSET


class PromptSuspicion(Answer, frozen=True, kw_only=True):
    """How many groups of filters a prompt sets off, as digits, and what set them off."""

    suspicion: str
    matches: tuple[str, ...]
