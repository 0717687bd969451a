"""A request's way from POST to its result, as contract tests need it again and again."""

from __future__ import annotations

import base64
import io
from typing import Any

from PIL import Image

from tests.support.horde import ANONYMOUS, IMAGE_POP, IMAGE_REQUEST, TEXT_POP, TEXT_REQUEST, Horde


def webp(color: str = "red", size: int = 64) -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (size, size), color).save(out, "WEBP")
    return out.getvalue()


async def pop(horde: Horde, kind: str, key: str, **offer: Any) -> Any:
    body = (TEXT_POP if kind == "text" else IMAGE_POP) | offer
    return await horde.ok("POST", f"/generate/{'text/' * (kind == 'text')}pop", body, key=key)


async def ask(horde: Horde, kind: str, key: str = ANONYMOUS, **changes: Any) -> str:
    """The id of a new request."""
    body = (TEXT_REQUEST if kind == "text" else IMAGE_REQUEST) | changes
    return str((await horde.ok("POST", f"/generate/{'text/' * (kind == 'text')}async", body, key=key))["id"])


async def status(horde: Horde, kind: str, request_id: str) -> Any:
    return await horde.ok("GET", f"/generate/{'text/' * (kind == 'text')}status/{request_id}")


async def deliver(horde: Horde, kind: str, key: str, job: Any, **result: Any) -> Any:
    """Submit all jobs of a pop; the answer to the last one."""
    answer: Any = None
    for number, job_id in enumerate(job["ids"]):
        if kind == "text":
            body = {"id": job_id, "generation": "and so on", "seed": number} | result
            answer = await horde.ok("POST", "/generate/text/submit", body, key=key)
            continue
        picture = base64.b64encode(webp()).decode()
        body = {"id": job_id, "generation": picture, "seed": number} | result
        answer = await horde.ok("POST", "/generate/submit", body, key=key)
    return answer


async def served(horde: Horde, kind: str, worker: str, **changes: Any) -> Any:
    """The status of a request that was asked, popped and delivered."""
    request_id = await ask(horde, kind, **changes)
    await deliver(horde, kind, worker, await pop(horde, kind, worker, amount=20))
    return await status(horde, kind, request_id)
