"""Pictures that clients name by URL: fetched once, from public addresses only, within two seconds and five megabytes.

What goes wrong is told without saying what was found at an address: the answer must not help to explore a network.
"""

from __future__ import annotations

import asyncio

import httpx

from hordenode.client.guard import Guard, TargetRefused, TargetUnknown, guarded_client
from hordenode.protocol.errors import HordeError

# Contract 4.1.
TIMEOUT_S = 2.0
MAX_ANNOUNCED = 5000 * 1024
MAX_BYTES = 5 * 2**20
MAX_REDIRECTS = 5


async def download(guard: Guard, url: str, field: str) -> bytes:
    """The bytes behind a URL; `field` names it in messages. Raises SourceImageSizeExceeded, SourceImageUnreadable."""
    try:
        async with asyncio.timeout(TIMEOUT_S), guarded_client(guard, timeout=TIMEOUT_S) as client:
            client.max_redirects = MAX_REDIRECTS
            # Not compressed, so that what is counted is what is kept.
            headers = {"Accept": "image/*", "Accept-Encoding": "identity"}
            async with client.stream("GET", url, headers=headers, follow_redirects=True) as answer:
                return await _read(answer, field)
    except TargetRefused as error:
        raise _unreadable(field, "its address is not a public one") from error
    except TargetUnknown as error:
        raise _unreadable(field, "its host cannot be found") from error
    except TimeoutError as error:
        raise _unreadable(field, f"it took more than {TIMEOUT_S:.0f} seconds") from error
    except httpx.TooManyRedirects as error:
        raise _unreadable(field, "it redirects too often") from error
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise _unreadable(field, "the server cannot be reached") from error


async def _read(answer: httpx.Response, field: str) -> bytes:
    if answer.status_code != httpx.codes.OK:
        raise _unreadable(field, f"the server answers with status {answer.status_code}")
    announced = answer.headers.get("content-length", "")
    if announced.isdecimal() and int(announced[:18]) > MAX_ANNOUNCED:
        raise HordeError("SourceImageSizeExceeded", field=field)
    pieces: list[bytes] = []
    size = 0
    async for piece in answer.aiter_raw():
        pieces.append(piece)
        size += len(piece)
        if size > MAX_BYTES:
            raise HordeError("SourceImageSizeExceeded", field=field)
    return b"".join(pieces)


def _unreadable(field: str, reason: str) -> HordeError:
    return HordeError("SourceImageUnreadable", f"The {field} at the given URL could not be read: {reason}.")
