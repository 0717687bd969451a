"""Totals of what was made (behaviour.md 18)."""

from __future__ import annotations

from hordenode.protocol.wire import Answer, Request


class ImageCount(Answer, frozen=True, kw_only=True):
    """Images, and their pixelsteps (width times height times steps)."""

    images: int
    ps: int


class TextCount(Answer, frozen=True, kw_only=True):
    """Texts, and the tokens that were asked for."""

    requests: int
    tokens: int


class ImageTotals(Answer, frozen=True, kw_only=True):
    """Images of the last minute, hour, day, 30 days, and since the beginning."""

    minute: ImageCount
    hour: ImageCount
    day: ImageCount
    month: ImageCount
    total: ImageCount


class TextTotals(Answer, frozen=True, kw_only=True):
    """Texts likewise."""

    minute: TextCount
    hour: TextCount
    day: TextCount
    month: TextCount
    total: TextCount


class ModelTotals(Answer, frozen=True, kw_only=True):
    """How many jobs each model did in the last day, in 30 days, and since the beginning."""

    day: dict[str, int]
    month: dict[str, int]
    total: dict[str, int]


class ModelTotalsQuery(Request, frozen=True, kw_only=True):
    """Query of the image models. A bad model_state is a BadRequest, not a validation error."""

    model_state: str = "known"
