"""HordeClient: the verbs of a horde, whether it runs in this process or far away.

`coordinator/local.py` implements it by calling use cases, `client/http.py` over HTTP. Failures are HordeError in both.
"""

from __future__ import annotations

from typing import Protocol

from hordenode.protocol.alchemy import (
    AlchemyAccepted,
    AlchemyJob,
    AlchemyPop,
    AlchemyRequest,
    AlchemyStatus,
    AlchemySubmit,
)
from hordenode.protocol.common import DryRunAnswer, RequestAccepted, RequestCheck, SubmitAnswer
from hordenode.protocol.image import ImageJob, ImagePop, ImageRequest, ImageStatus, ImageSubmit
from hordenode.protocol.status import ActiveModel
from hordenode.protocol.text import TextJob, TextPop, TextRequest, TextStatus, TextSubmit
from hordenode.protocol.users import UserDetails
from hordenode.protocol.workers import WorkerDetails


class Unreachable(OSError):
    """A horde did not answer; the text names it and says why."""


class HordeClient(Protocol):
    """One user of one horde. Raises HordeError for whatever the horde refuses, Unreachable when it does not answer."""

    async def request_image(self, request: ImageRequest) -> RequestAccepted | DryRunAnswer: ...

    async def request_text(self, request: TextRequest) -> RequestAccepted | DryRunAnswer: ...

    async def request_alchemy(self, request: AlchemyRequest) -> AlchemyAccepted: ...

    async def check(self, request_id: str, wait: float = 0.0) -> RequestCheck:
        """Where a request of either kind stands: when it is done or changes, after at most `wait` seconds.

        A horde that cannot wait answers at once.
        """
        ...

    async def image_status(self, request_id: str) -> ImageStatus: ...

    async def text_status(self, request_id: str) -> TextStatus: ...

    async def alchemy_status(self, request_id: str) -> AlchemyStatus: ...

    async def cancel_image(self, request_id: str) -> ImageStatus: ...

    async def cancel_text(self, request_id: str) -> TextStatus: ...

    async def cancel_alchemy(self, request_id: str) -> AlchemyStatus: ...

    async def pop_image(self, offer: ImagePop, wait: float = 0.0) -> ImageJob:
        """A job, or an answer without one after at most `wait` seconds."""
        ...

    async def pop_text(self, offer: TextPop, wait: float = 0.0) -> TextJob:
        """A job, or an answer without one after at most `wait` seconds."""
        ...

    async def pop_alchemy(self, offer: AlchemyPop, wait: float = 0.0) -> AlchemyJob:
        """Forms, or an answer without any after at most `wait` seconds."""
        ...

    async def submit_image(self, result: ImageSubmit) -> SubmitAnswer: ...

    async def submit_text(self, result: TextSubmit) -> SubmitAnswer: ...

    async def submit_form(self, result: AlchemySubmit) -> SubmitAnswer: ...

    async def find_user(self) -> UserDetails: ...

    async def models(self, kind: str) -> list[ActiveModel]:
        """Models that workers of this kind (`image`, `text`) serve now."""
        ...

    async def workers(self, kind: str) -> list[WorkerDetails]:
        """Workers of this kind that are there now."""
        ...

    async def upload(self, url: str, data: bytes) -> None:
        """Put a finished WebP where the popped job says."""
        ...

    async def download(self, url: str) -> bytes:
        """Get the picture behind a result's link."""
        ...

    async def aclose(self) -> None: ...
