"""Refused source images, of image and alchemy requests (contract 4.1, 12)."""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping
from typing import Any

from PIL import Image

from hordenode.client.guard import Guard, parse_networks
from tests.contract.refusals.case import Case, Prepare
from tests.support.horde import ALCHEMY_REQUEST, IMAGE_REQUEST, RED_PNG
from tests.support.people import People
from tests.support.web import web_server

IMAGE, ALCHEMY = "POST /generate/async", "POST /interrogate/async"
NO_PICTURE = "bm8gcGljdHVyZQ=="
AT_URL = {"source_image": "{url}"}


def encoded(width: int, height: int) -> str:
    out = io.BytesIO()
    Image.new("1", (width, height)).save(out, "PNG")
    return base64.b64encode(out.getvalue()).decode()


def behind_a_url(status: int, content: bytes) -> Prepare:
    """A web server that answers so; its address is in {url}, and the horde may go there."""

    async def prepare(people: People) -> Mapping[str, str]:
        server = await people.stack.enter_async_context(web_server())
        server.answers = [(status, {}, content)]
        people.horde.co.guard = Guard(parse_networks(["127.0.0.0/8"]))
        return {"url": f"http://127.0.0.1:{server.port}/a.png"}

    return prepare


CASES: list[Case] = []
for route, request, too_big in (
    (IMAGE, IMAGE_REQUEST, encoded(3072, 3073)),
    (ALCHEMY, ALCHEMY_REQUEST, encoded(512 * 16, 512 * 16)),
):
    at_url: dict[str, Any] = request | AT_URL
    CASES += [
        Case(route, "ImageValidationFailed", "registered", request | {"source_image": NO_PICTURE}),
        Case(route, "SourceImageResolutionExceeded", "registered", request | {"source_image": too_big}),
        Case(route, "SourceImageSizeExceeded", "registered", at_url, prepare=behind_a_url(200, b"x" * (5 * 2**20 + 1))),
        Case(route, "SourceImageUrlInvalid", "registered", at_url, prepare=behind_a_url(200, b"<html/>")),
        Case(route, "SourceImageUnreadable", "registered", at_url, prepare=behind_a_url(500, b"")),
        Case(route, "SourceImageUnreadable", "registered", request | {"source_image": "http://127.0.0.1:1/private"}),
    ]


def picture(rc: str, params: dict[str, Any] | None = None, *, models: list[str] | None = None, **changes: Any) -> Case:
    """An image request with a picture beside these."""
    body = IMAGE_REQUEST | {"params": params or {}, "source_image": RED_PNG} | changes
    return Case(IMAGE, rc, "registered", body | ({"models": models} if models else {}))


EXTRA = [{"image": RED_PNG}]
CASES += [
    Case(IMAGE, "SourceMaskUnnecessary", "registered", IMAGE_REQUEST | {"source_mask": RED_PNG}),
    Case(IMAGE, "ControlNetSourceMissing", "registered", IMAGE_REQUEST | {"params": {"control_type": "canny"}}),
    Case(IMAGE, "SourceImageRequiredForModel", "registered", IMAGE_REQUEST | {"models": ["pix2pix"]}),
    Case(IMAGE, "UnexpectedModelName", "registered", IMAGE_REQUEST | {"models": ["control_canny controlnet"]}),
    picture("InpaintingMissingMask", source_processing="inpainting"),
    picture("ControlNetUnsupported", {"control_type": "canny"}, models=["pix2pix"]),
    picture("ControlNetInpaintingMismatch", {"control_type": "canny"}, source_processing="inpainting"),
    picture("ControlNetMismatch", {"control_type": "canny"}, models=["new [SDXL]"]),
    picture("ControlNetInvalidPayload", {"image_is_control": True, "return_control_map": True}),
    picture("InvalidTransparencyCN", {"transparent": True, "control_type": "canny"}),
    picture("InvalidTransparencyImg2Img", {"transparent": True}, extra_source_images=EXTRA),
    picture("InvalidRemix", source_processing="remix"),
    picture("InvalidExtraSourceImages.", extra_source_images=EXTRA),
    picture("MoreThanMinExtraSourceImage.", extra_source_images=EXTRA * 2),
    picture("TooManyExtraSourceImages.", extra_source_images=EXTRA * 6),
]
