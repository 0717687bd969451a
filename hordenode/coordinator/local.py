"""LocalHorde: this node's own horde as a HordeClient, called without HTTP."""

from __future__ import annotations

from urllib.parse import urlsplit

from hordenode.coordinator import alchemy, files, pops, requests, status, submits, users, workers
from hordenode.coordinator.context import Caller, Coordinator
from hordenode.coordinator.links import RESULTS, check_link
from hordenode.coordinator.waits import until_change
from hordenode.domain.entities import Kind
from hordenode.protocol.alchemy import (
    AlchemyAccepted,
    AlchemyJob,
    AlchemyPop,
    AlchemyRequest,
    AlchemyStatus,
    AlchemySubmit,
)
from hordenode.protocol.common import DryRunAnswer, RequestAccepted, RequestCheck, SubmitAnswer
from hordenode.protocol.errors import HordeError, PlainError
from hordenode.protocol.image import ImageJob, ImagePop, ImageRequest, ImageStatus, ImageSubmit
from hordenode.protocol.status import ActiveModel, ModelsQuery
from hordenode.protocol.text import TextJob, TextPop, TextRequest, TextStatus, TextSubmit
from hordenode.protocol.users import UserDetails
from hordenode.protocol.workers import WorkerDetails

LOCAL_URL = "local:"  # links made for this process; only `upload` and `download` below read them


class LocalHorde:
    """The horde in this process, used as one of its users."""

    def __init__(self, co: Coordinator, user_id: int, client_agent: str) -> None:
        self._co = co
        self._caller = Caller(user_id=user_id, client_agent=client_agent, base_url=LOCAL_URL)

    async def request_image(self, request: ImageRequest) -> RequestAccepted | DryRunAnswer:
        return await requests.submit_image(self._co, self._caller, request)

    async def request_text(self, request: TextRequest) -> RequestAccepted | DryRunAnswer:
        return await requests.submit_text(self._co, self._caller, request)

    async def request_alchemy(self, request: AlchemyRequest) -> AlchemyAccepted:
        return await alchemy.submit(self._co, self._caller, request)

    async def check(self, request_id: str, wait: float = 0.0) -> RequestCheck:
        return await until_change(self._co, request_id, wait, lambda: self._check(request_id))

    async def _check(self, request_id: str) -> RequestCheck:
        try:
            return await requests.check(self._co, request_id, Kind.IMAGE)
        except HordeError as error:
            if error.rc != "RequestNotFound":
                raise
            return await requests.check(self._co, request_id, Kind.TEXT)

    async def image_status(self, request_id: str) -> ImageStatus:
        return await requests.image_status(self._co, request_id, LOCAL_URL)

    async def text_status(self, request_id: str) -> TextStatus:
        return await requests.text_status(self._co, request_id)

    async def alchemy_status(self, request_id: str) -> AlchemyStatus:
        return await alchemy.status(self._co, request_id, LOCAL_URL)

    async def cancel_image(self, request_id: str) -> ImageStatus:
        return await requests.cancel_image(self._co, request_id, LOCAL_URL)

    async def cancel_text(self, request_id: str) -> TextStatus:
        return await requests.cancel_text(self._co, request_id)

    async def cancel_alchemy(self, request_id: str) -> AlchemyStatus:
        return await alchemy.cancel(self._co, request_id, LOCAL_URL)

    async def pop_image(self, offer: ImagePop, wait: float = 0.0) -> ImageJob:
        return await pops.pop_image(self._co, self._caller, offer, wait)

    async def pop_text(self, offer: TextPop, wait: float = 0.0) -> TextJob:
        return await pops.pop_text(self._co, self._caller, offer, wait)

    async def pop_alchemy(self, offer: AlchemyPop, wait: float = 0.0) -> AlchemyJob:
        return await pops.pop_alchemy(self._co, self._caller, offer, wait)

    async def submit_image(self, result: ImageSubmit) -> SubmitAnswer:
        return await submits.submit_image(self._co, self._caller, result)

    async def submit_text(self, result: TextSubmit) -> SubmitAnswer:
        return await submits.submit_text(self._co, self._caller, result)

    async def submit_form(self, result: AlchemySubmit) -> SubmitAnswer:
        return await submits.submit_form(self._co, self._caller, result)

    async def find_user(self) -> UserDetails:
        return await users.find_user(self._co, self._caller)

    async def models(self, kind: str) -> list[ActiveModel]:
        return await status.models(self._co, ModelsQuery(type=kind))

    async def workers(self, kind: str) -> list[WorkerDetails]:
        return await workers.list_workers(self._co, self._caller, kind, name=None)

    async def upload(self, url: str, data: bytes) -> None:
        """Store a finished WebP under the link of a popped job."""
        _, key = self._blob("PUT", url)
        await files.keep_picture(self._co, RESULTS, key, data)

    async def download(self, url: str) -> bytes:
        """The bytes behind a link of this horde. PlainError 404 when they are gone."""
        data = await self._co.blobs.get(*self._blob("GET", url))
        if data is None:
            raise PlainError(404, "There is no such file. Results are kept for about 20 minutes.")
        return data

    async def wait_done(self, request_id: str) -> None:
        """Return once the request is done; RequestNotFound when it expired meanwhile."""
        with self._co.doorbell.listen(request_id) as heard:
            while not (await self.check(request_id)).done:
                await heard.wait()
                heard.clear()

    async def aclose(self) -> None:
        """Nothing to close: the coordinator belongs to the node."""

    def _blob(self, method: str, url: str) -> tuple[str, str]:
        """(bucket, key) of a link."""
        parts = urlsplit(url)
        bucket, _, key = parts.path.removeprefix("/blobs/").partition("/")
        check_link(self._co, method, bucket, key, parts.query)
        return bucket, key
