"""What `GET /api/node/v1/events` sends, as server-sent events with a JSON object each (ARCHITECTURE 3.7, 3.14).

    snapshot       where everything stands; first, and again after a gap
    request_queued, request_done, job_popped, job_progress, job_done, job_faulted, worker_seen, kudos_moved
                   what happened since (ops/events.py)
    gap            so much happened that some of it was left out; a snapshot follows
    heartbeat      nothing happened for a while

`job_progress` has `id`, `request_id`, `step`, `steps`, and where there is something of them `text` (what was written
since the last one), `logprobs` (of the tokens since, where the request asked for them; protocol/extension.py) and
`preview` (a small WebP, base64). Events are hints: what counts is what `status` says.
"""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import UNSET, Meta, UnsetType

from hordenode.protocol.common import RequestCheck
from hordenode.protocol.extension import Likelihoods
from hordenode.protocol.wire import Answer, Request


class EventsQuery(Request, frozen=True, kw_only=True):
    """Query of the events: ids of requests to follow beside the key's own, with commas between."""

    request: str = ""


class JobReport(Request, frozen=True, kw_only=True):
    """What a worker tells of a running job: step `step` of at most `steps` is done.

    text: what was written since its last report, logprobs: of the tokens since, where they were asked for; preview: what
    is drawn so far, a small WebP (base64).
    """

    step: Annotated[int, Meta(ge=0, le=1_000_000)]
    steps: Annotated[int, Meta(ge=0, le=1_000_000)]
    text: str = ""
    logprobs: Likelihoods = ()
    preview: str = ""


class FollowedJob(Answer, frozen=True, kw_only=True):
    """A running job. text: all that it wrote, with the logprobs that were asked for; preview: the latest, a WebP (base64)."""

    id: str
    request_id: str
    step: int
    steps: int
    text: str
    logprobs: Likelihoods | UnsetType = UNSET
    preview: bytes | UnsetType = UNSET


class FollowedRequest(RequestCheck, frozen=True, kw_only=True):
    """A request where it stands, or one form of an alchemy request."""

    id: str
    type: Literal["image", "text", "interrogation"]


class SeenWorker(Answer, frozen=True, kw_only=True):
    """A worker that is there."""

    id: str
    name: str
    type: Literal["image", "text", "interrogation"]


class Queued(Answer, frozen=True, kw_only=True):
    """Jobs that wait for a worker, by kind."""

    image: int
    text: int
    interrogation: int


class Snapshot(Answer, frozen=True, kw_only=True):
    """What the key may see: its own and the named requests, their running jobs, its kudos, the horde's workers."""

    requests: tuple[FollowedRequest, ...]
    jobs: tuple[FollowedJob, ...]
    workers: tuple[SeenWorker, ...]
    queued: Queued
    kudos: float | UnsetType = UNSET
