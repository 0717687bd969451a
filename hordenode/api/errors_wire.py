"""From exceptions to answers. The only place of the HTTP layer that looks at what went wrong."""

from __future__ import annotations

import errno

from hordenode.api.limits import TooManyRequests
from hordenode.api.route import Reply
from hordenode.protocol.errors import HordeError, PlainError
from hordenode.store.errors import StoreError

RETRY_AFTER_S = 10
DISK = {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO, errno.EFBIG, errno.EMFILE, errno.ENFILE}


class ClientGone(Exception):
    """The caller hung up before the request was complete: there is nobody to answer."""


def trouble(error: Exception) -> HordeError | None:
    """What the caller is told when the node's disk or database is to blame; None for other exceptions."""
    if isinstance(error, StoreError):
        text = str(error)
    elif isinstance(error, OSError) and error.errno in DISK:
        text = f"The disk that holds the node's files does not take more: {error.strerror}. Nothing accepted is lost."
    else:
        return None
    public = PlainError(503, text, retry_after=RETRY_AFTER_S)
    public.__cause__ = error
    return public


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
