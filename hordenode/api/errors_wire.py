"""From exceptions to answers. The only place of the HTTP layer that looks at what went wrong."""

from __future__ import annotations

from hordenode.api.limits import TooManyRequests
from hordenode.api.route import Reply
from hordenode.protocol.errors import HordeError, PlainError


class ClientGone(Exception):
    """The caller hung up before the request was complete: there is nobody to answer."""


def crash(error: Exception) -> HordeError:
    """What the caller is told about an exception that is no HordeError. The endpoint has logged it already."""
    public = PlainError(500, "Something went wrong in the horde. The details are in its log.")
    public.__cause__ = error
    return public


def error_reply(error: HordeError) -> Reply:
    """The answer to a request that was refused."""
    headers = () if error.retry_after is None else (("Retry-After", str(error.retry_after)),)
    limits = error.headers if isinstance(error, TooManyRequests) else ()
    return Reply(error.status, error.body(), (*headers, *limits))
