"""Requests and their jobs: async, check, status, cancel, pop, submit for images and texts."""

from __future__ import annotations

from hordenode.api.handlers import caller_of, horde
from hordenode.api.route import Call, Reply
from hordenode.coordinator import house, pops, ratings, requests, submits
from hordenode.coordinator.waits import until_change
from hordenode.domain.entities import Kind
from hordenode.protocol.common import DryRunAnswer, RequestAccepted, RequestCheck, SimpleAnswer, SubmitAnswer
from hordenode.protocol.errors import HordeError
from hordenode.protocol.image import ImageJob, ImagePop, ImageRequest, ImageStatus, ImageSubmit, RatingsRequest
from hordenode.protocol.text import TextJob, TextPop, TextRequest, TextStatus, TextSubmit

PLACEHOLDER_AGENT = "My-Project:v0.0.1:My-Contact"


async def submit_image(call: Call, body: ImageRequest) -> Reply:
    if call.client_agent == PLACEHOLDER_AGENT:
        raise HordeError("BannedClientAgent")
    return _accepted(await requests.submit_image(horde(call), caller_of(call), body))


async def submit_text(call: Call, body: TextRequest) -> Reply:
    return _accepted(await requests.submit_text(horde(call), caller_of(call), body))


def _accepted(answer: RequestAccepted | DryRunAnswer) -> Reply:
    return Reply(200 if isinstance(answer, DryRunAnswer) else 202, answer)


async def check_image(call: Call, _: None) -> RequestCheck:
    co, request_id = horde(call), call.path_params["id"]
    house.check_poller(co, call.client_ip, call.client_agent)
    return await until_change(co, request_id, call.query.wait, lambda: requests.check(co, request_id, Kind.IMAGE))


async def image_status(call: Call, _: None) -> ImageStatus:
    co, request_id = horde(call), call.path_params["id"]
    return await until_change(
        co, request_id, call.query.wait, lambda: requests.image_status(co, request_id, call.base_url)
    )


async def cancel_image(call: Call, _: None) -> ImageStatus:
    return await requests.cancel_image(horde(call), call.path_params["id"], call.base_url)


async def text_status(call: Call, _: None) -> TextStatus:
    co, request_id = horde(call), call.path_params["id"]
    return await until_change(co, request_id, call.query.wait, lambda: requests.text_status(co, request_id))


async def cancel_text(call: Call, _: None) -> TextStatus:
    return await requests.cancel_text(horde(call), call.path_params["id"])


async def pop_image(call: Call, body: ImagePop) -> ImageJob:
    return await pops.pop_image(horde(call), caller_of(call), body, call.query.wait, call.query.pop)


async def pop_text(call: Call, body: TextPop) -> TextJob:
    return await pops.pop_text(horde(call), caller_of(call), body, call.query.wait, call.query.pop)


async def end_pop(call: Call, _: None) -> SimpleAnswer:
    await pops.end_wait(horde(call), caller_of(call), call.path_params["id"])
    return SimpleAnswer(message="OK")


async def submit_image_job(call: Call, body: ImageSubmit) -> SubmitAnswer:
    return await submits.submit_image(horde(call), caller_of(call), body)


async def submit_text_job(call: Call, body: TextSubmit) -> SubmitAnswer:
    return await submits.submit_text(horde(call), caller_of(call), body)


async def rate_images(call: Call, _: RatingsRequest) -> SubmitAnswer:
    return await ratings.rate(horde(call), call.path_params["id"])
