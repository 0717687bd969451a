"""The stream of events, as server-sent events (HTML standard, 9.2), and what remote workers put into it."""

from __future__ import annotations

import asyncio
import re
from contextlib import suppress
from typing import cast

import msgspec
from starlette.types import Receive, Scope, Send

from hordenode.api.errors_wire import ClientGone
from hordenode.api.handlers import caller_of, horde
from hordenode.api.hangup import unless_gone
from hordenode.api.route import Call
from hordenode.coordinator import reports, watch
from hordenode.coordinator.context import Coordinator
from hordenode.coordinator.watch import Viewer
from hordenode.ops.events import Subscription
from hordenode.protocol.common import SimpleAnswer
from hordenode.protocol.decode import decode_query
from hordenode.protocol.events import EventsQuery, JobReport

HEARTBEAT_S = 15.0
SEND_S = 30.0  # a follower that takes nothing for so long is gone
HEADERS = [
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-store"),
    (b"x-accel-buffering", b"no"),  # proxies pass on what comes
]
_shapes: dict[type, tuple[str, tuple[str, ...]]] = {}
_encode = msgspec.json.Encoder().encode


async def stream(call: Call, scope: Scope, receive: Receive, send: Send) -> None:
    """GET: a snapshot, then changes, until the caller or the node stops."""
    co = horde(call)
    query = decode_query(EventsQuery, scope["query_string"])
    viewer = await watch.viewer(co, caller_of(call), query.request.split(","))
    with co.streams.subscribe(viewer.who, viewer.topics) as subscription:
        await send({"type": "http.response.start", "status": 200, "headers": HEADERS})
        if scope["method"] != "HEAD":
            await unless_gone(receive, _follow(co, viewer, subscription, send))
    await send({"type": "http.response.body", "body": b""})


async def report(call: Call, body: JobReport) -> SimpleAnswer:
    await reports.report(horde(call), caller_of(call), call.path_params["id"], body)
    return SimpleAnswer()


async def _follow(co: Coordinator, viewer: Viewer, subscription: Subscription, send: Send) -> None:
    frames = Frames()
    chunk = await _snapshot(co, viewer, subscription, frames)
    while True:
        await _send(send, chunk)
        with suppress(TimeoutError):
            async with asyncio.timeout(HEARTBEAT_S):
                await subscription.stir()
        if co.streams.closed:
            return
        if subscription.gap:
            chunk = frames.make("gap", {}) + await _snapshot(co, viewer, subscription, frames)
        else:
            chunk = b"".join(frames.of(event) for event in subscription.take()) or frames.make("heartbeat", {})


async def _snapshot(co: Coordinator, viewer: Viewer, subscription: Subscription, frames: Frames) -> bytes:
    """Where everything stands; what happened until now is part of it."""
    found = await watch.snapshot(co, viewer)
    subscription.take()
    subscription.gap = False
    return frames.make("snapshot", found)


async def _send(send: Send, chunk: bytes) -> None:
    try:
        async with asyncio.timeout(SEND_S):
            await send({"type": "http.response.body", "body": chunk, "more_body": True})
    except TimeoutError as error:
        raise ClientGone from error


class Frames:
    """Numbers the events of one stream, so that a reader sees that none is missing."""

    def __init__(self) -> None:
        self._number = 0

    def make(self, name: str, data: object) -> bytes:
        """One event; its JSON has no line breaks."""
        self._number += 1
        return b"event: %b\nid: %d\ndata: %b\n\n" % (name.encode(), self._number, _encode(data))

    def of(self, event: object) -> bytes:
        """An event of ops/events.py."""
        name, told = _shape(cast(type[msgspec.Struct], type(event)))
        members = {member: getattr(event, member) for member in told}
        return self.make(name, {member: value for member, value in members.items() if value not in ("", b"", ())})


def _shape(kind: type[msgspec.Struct]) -> tuple[str, tuple[str, ...]]:
    """(JobPopped as `job_popped`, what is told of it). Whose it is, its reader knows or should not."""
    known = _shapes.get(kind)
    if known is None:
        name = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", kind.__name__).lower()
        known = _shapes[kind] = (name, tuple(name for name in kind.__struct_fields__ if name != "user_id"))
    return known
