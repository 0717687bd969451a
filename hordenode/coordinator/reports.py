"""What workers of other machines tell of their running jobs: steps, tokens, previews (ARCHITECTURE 3.14)."""

from __future__ import annotations

import base64
import binascii

from hordenode.blobs.images import BadImage, inspect
from hordenode.coordinator import watch
from hordenode.coordinator.context import Caller, Coordinator
from hordenode.coordinator.live import News
from hordenode.protocol.errors import HordeError
from hordenode.protocol.events import JobReport

MOST_TEXT = 4096  # characters of one report
MOST_PREVIEW = 64 * 1024
MOST_PIXELS = 512 * 512


async def report(co: Coordinator, caller: Caller, job_id: str, body: JobReport) -> None:
    """POST /api/node/v1/jobs/{id}/progress. InvalidJobID for a job that does not run, WrongCredentials for another's."""
    user = await co.db.read(lambda tx: co.authenticate(tx, caller))
    job = co.live.get(job_id)
    if job is None:
        raise HordeError("InvalidJobID", id=job_id)
    present = co.presence.get(job.worker_id)
    if present is None or present.worker.user_id != user.id:
        raise HordeError("WrongCredentials", what="this job")
    if len(body.text) > MOST_TEXT:
        raise HordeError("BadRequest", reason=f"A report has at most {MOST_TEXT} characters of text.")
    watch.report(co, job_id, News(body.step, body.steps, body.text, _preview(body.preview), body.logprobs))


def _preview(given: str) -> bytes:
    """A small WebP; what is none, or large, is refused, since browsers will show it."""
    if not given:
        return b""
    try:
        data = base64.b64decode(given, validate=True)
        info = inspect(data)
    except (BadImage, binascii.Error, ValueError) as error:
        raise HordeError("BadRequest", reason="The preview is no picture.") from error
    if info.format != "WEBP" or len(data) > MOST_PREVIEW or info.width * info.height > MOST_PIXELS:
        raise HordeError("BadRequest", reason="A preview is a WebP of at most 512x512 pixels and 64 KB.")
    return data
