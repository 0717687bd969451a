"""Workers as the API shows and changes them, and what their owners are told (behaviour.md 11, 16)."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import UNSET, Meta, UnsetType, field

from hordenode.protocol.wire import Answer, Int64, Request


class WorkerKudosDetails(Answer, frozen=True, kw_only=True):
    """Kudos that a worker earned by generations and by being there."""

    generated: float | None = None
    uptime: int | None = None


class TeamRef(Answer, frozen=True, kw_only=True):
    """The worker's team; both null without one."""

    name: str | None = None
    id: str | None = None


class WorkerMessageDetails(Answer, frozen=True, kw_only=True):
    """A message to a worker's owner, as its sender sees it. Dates: RFC 822."""

    id: str | UnsetType = UNSET
    worker_id: str | UnsetType = UNSET
    user_id: str
    message: str
    origin: str | UnsetType = UNSET
    expiry: str
    created: str


class WorkerDetails(Answer, frozen=True, kw_only=True):
    """A worker. uptime in seconds.

    An image worker always carries models, max_pixels, megapixelsteps_generated and its abilities; a text worker models,
    max_length and max_context_length; an alchemist forms. The other optional fields depend on who asks.
    """

    type: Literal["image", "text", "interrogation"]
    name: str
    id: str
    online: bool
    requests_fulfilled: int
    kudos_rewards: float
    kudos_details: WorkerKudosDetails
    performance: str
    threads: int
    uptime: int
    maintenance_mode: bool
    nsfw: bool
    trusted: bool
    flagged: bool
    uncompleted_jobs: int
    team: TeamRef = TeamRef()
    bridge_agent: str
    paused: bool | UnsetType = UNSET
    info: str | UnsetType = UNSET
    owner: str | UnsetType = UNSET
    ipaddr: str | UnsetType = UNSET
    suspicious: int | UnsetType = UNSET
    contact: str | UnsetType = UNSET
    models: tuple[str, ...] | UnsetType = UNSET
    forms: tuple[str, ...] | UnsetType = UNSET
    max_pixels: int | UnsetType = UNSET
    megapixelsteps_generated: float | UnsetType = UNSET
    img2img: bool | UnsetType = UNSET
    painting: bool | UnsetType = UNSET
    post_processing: bool | UnsetType = field(name="post-processing", default=UNSET)
    lora: bool | UnsetType = UNSET
    controlnet: bool | UnsetType = UNSET
    sdxl_controlnet: bool | UnsetType = UNSET
    max_length: int | UnsetType = UNSET
    max_context_length: int | UnsetType = UNSET
    messages: tuple[WorkerMessageDetails, ...] | UnsetType = UNSET


class WorkersQuery(Request, frozen=True, kw_only=True):
    """Query of the workers list. name (exact, ignoring case) takes precedence over type."""

    type: str | UnsetType = UNSET
    name: str | UnsetType = UNSET


class WorkerModify(Request, frozen=True, kw_only=True):
    """A change of a worker. team: an id, or empty to leave it."""

    maintenance: bool | UnsetType = UNSET
    maintenance_msg: str | UnsetType = UNSET
    info: Annotated[str, Meta(max_length=1000)] | UnsetType = UNSET
    paused: bool | UnsetType = UNSET
    name: Annotated[str, Meta(min_length=5, max_length=100)] | UnsetType = UNSET
    team: Annotated[str, Meta(max_length=36)] | UnsetType = UNSET


class WorkerModified(Answer, frozen=True, kw_only=True):
    """What a change of a worker came to: only the fields that were changed. team: its name, `None` without one."""

    maintenance: bool | UnsetType = UNSET
    paused: bool | UnsetType = UNSET
    info: str | UnsetType = UNSET
    name: str | UnsetType = UNSET
    team: str | UnsetType = UNSET


class WorkerDeleted(Answer, frozen=True, kw_only=True):
    """A worker that is gone."""

    deleted_id: str
    deleted_name: str


class WorkerMessageInput(Request, frozen=True, kw_only=True):
    """A message to a worker, or to all without worker_id. expiry in hours."""

    message: Annotated[str, Meta(min_length=1, max_length=10240)]
    worker_id: Annotated[str, Meta(min_length=36, max_length=36)] | UnsetType = UNSET
    origin: Annotated[str, Meta(min_length=1, max_length=255)] | UnsetType = UNSET
    expiry: Annotated[int, Meta(ge=1, le=720)] = 12


class WorkerMessagesQuery(Request, frozen=True, kw_only=True):
    """Query of the messages list."""

    user_id: str | UnsetType = UNSET
    worker_id: str | UnsetType = UNSET
    validity: Literal["active", "expired", "all"] = "active"
    page: Int64 = 1
