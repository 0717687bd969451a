"""How the horde is doing: heartbeat, performance, models."""

from __future__ import annotations

from typing import Literal

from msgspec import UNSET, UnsetType

from hordenode.protocol.wire import Answer, Int64, Request


class Heartbeat(Answer, frozen=True, kw_only=True):
    """The server's own health."""

    message: Literal["OK", "DOWN", "OVERLOADED"]
    version: str
    queue: int
    threads: int
    active_count: int
    db_connection: bool


class Performance(Answer, frozen=True, kw_only=True):
    """What waits and who works (behaviour.md 18). Text sizes in tokens."""

    queued_requests: int
    queued_text_requests: int
    worker_count: int
    text_worker_count: int
    thread_count: int
    text_thread_count: int
    queued_megapixelsteps: float
    past_minute_megapixelsteps: float
    queued_forms: float
    interrogator_count: int
    interrogator_thread_count: int
    queued_tokens: float
    past_minute_tokens: float


class ActiveModel(Answer, frozen=True, kw_only=True):
    """A model that workers serve. count: worker threads; queued in things; eta in seconds."""

    name: str
    count: int
    performance: float
    queued: float
    jobs: float
    eta: int
    type: Literal["image", "text"]


class ModelsQuery(Request, frozen=True, kw_only=True):
    """Query of status/models. type and model_state are open here: a bad one is a BadRequest, not a validation error."""

    type: str = "image"
    min_count: Int64 | UnsetType = UNSET
    max_count: Int64 | UnsetType = UNSET
    model_state: str = "all"
