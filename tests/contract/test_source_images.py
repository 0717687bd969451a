"""Source images of image requests: every refusal, what is kept of them, and how long (contract 3.1, 4.1)."""

from __future__ import annotations

import base64
import io
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from hordenode.client.guard import Guard, parse_networks
from hordenode.coordinator import janitor
from tests.contract.schema import validate
from tests.support.aio import run
from tests.support.horde import (
    ALCHEMY_POP,
    ALCHEMY_REQUEST,
    ANONYMOUS,
    IMAGE_POP,
    IMAGE_REQUEST,
    RED_PNG,
    Horde,
    open_horde,
)
from tests.support.web import web_server

ORIENTATION, GPS = 0x0112, 0x8825
CASCADE = {"models": ["Stable Cascade 1.0"], "source_processing": "remix", "source_image": RED_PNG}


def saved(image: Image.Image, kind: str, **options: Any) -> bytes:
    out = io.BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


def encoded(image: Image.Image, kind: str = "PNG", **options: Any) -> str:
    return base64.b64encode(saved(image, kind, **options)).decode()


def extra(count: int) -> list[dict[str, Any]]:
    return [{"image": RED_PNG, "strength": 0.5}] * count


BROKEN: list[tuple[dict[str, Any], str]] = [
    ({"source_image": "bm8gcGljdHVyZQ=="}, "ImageValidationFailed"),
    ({"source_image": "no base64 at all: ü"}, "ImageValidationFailed"),
    ({"source_image": encoded(Image.new("1", (3072, 3073)))}, "SourceImageResolutionExceeded"),
    ({"source_image": RED_PNG, "source_mask": encoded(Image.new("1", (3073, 3072)))}, "SourceImageResolutionExceeded"),
    ({"source_image": RED_PNG, "source_mask": "bm8gcGljdHVyZQ=="}, "ImageValidationFailed"),
    ({"source_image": "http://127.0.0.1:1/a.png"}, "SourceImageUnreadable"),
    ({"source_mask": RED_PNG}, "SourceMaskUnnecessary"),
    ({"source_image": RED_PNG, "source_processing": "inpainting"}, "InpaintingMissingMask"),
    ({"models": ["pix2pix"]}, "SourceImageRequiredForModel"),
    ({"models": ["Stable Diffusion 2 Depth"]}, "SourceImageRequiredForModel"),
    ({"params": {"control_type": "canny"}}, "ControlNetSourceMissing"),
    ({"source_image": RED_PNG, "extra_source_images": extra(1)}, "InvalidExtraSourceImages."),
    (CASCADE | {"models": ["model one"]}, "InvalidRemix"),
    (CASCADE | {"extra_source_images": extra(6)}, "TooManyExtraSourceImages."),
    (CASCADE | {"extra_source_images": extra(2)}, "MoreThanMinExtraSourceImage."),
    (CASCADE | {"extra_source_images": [{"image": "bm8gcGljdHVyZQ=="}]}, "ImageValidationFailed"),
]


def small(size: tuple[int, int] = (64, 64), mode: str = "RGB", colour: Any = "green") -> Image.Image:
    return Image.new(mode, size, colour)


async def cascade(horde: Horde) -> None:
    """Makes the horde know a model of the family that takes several pictures."""
    from hordenode.domain.baselines import Baselines

    horde.co.baselines = Baselines({"Stable Cascade 1.0": "stable_cascade"})


@pytest.mark.parametrize(("change", "rc"), BROKEN, ids=[f"{i} {rc}" for i, (_, rc) in enumerate(BROKEN)])
def test_what_is_wrong_with_pictures_has_its_code_and_leaves_nothing(
    tmp_path: Path, change: dict[str, Any], rc: str
) -> None:
    async def main() -> None:
        async with open_horde(tmp_path) as horde:
            await cascade(horde)
            answer = await horde.call("POST", "/generate/async", IMAGE_REQUEST | change, key=ANONYMOUS)
            validate("POST /generate/async", answer.status_code, answer.json())
            assert (answer.status_code, answer.json().get("rc")) == (400, rc), answer.text
            assert await horde.co.blobs.usage() == 0
            assert (await horde.ok("GET", "/status/performance"))["queued_requests"] == 0

    run(main())


@pytest.mark.parametrize(
    ("answer", "rc"),
    [
        ((200, {}, b"x" * (5 * 2**20 + 1)), "SourceImageSizeExceeded"),
        ((200, {}, b"<html/>"), "SourceImageUrlInvalid"),
        ((500, {}, b""), "SourceImageUnreadable"),
        ((200, {}, saved(small(), "JPEG")[:300]), "ImageValidationFailed"),
        ((200, {}, saved(Image.new("1", (3072, 3073)), "PNG")), "SourceImageResolutionExceeded"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
@pytest.mark.parametrize("member", ["source_image", "source_mask", "extra_source_images"])
def test_what_is_wrong_behind_a_url_has_its_code_for_every_picture(
    tmp_path: Path, member: str, answer: tuple[int, dict[str, str], bytes], rc: str
) -> None:
    async def main() -> None:
        async with open_horde(tmp_path) as horde, web_server() as web:
            await cascade(horde)
            horde.co.guard = Guard(parse_networks(["127.0.0.1"]))
            web.answers = [answer]
            url = f"http://127.0.0.1:{web.port}/a.png"
            change: dict[str, Any] = CASCADE if member == "extra_source_images" else {"source_image": RED_PNG}
            change = change | {member: [{"image": url}] if member == "extra_source_images" else url}
            refused = await horde.call("POST", "/generate/async", IMAGE_REQUEST | change, key=ANONYMOUS)
            assert (
                refused.json()["rc"] == rc and member.replace("_", " ").removesuffix("s") in refused.json()["message"]
            )

    run(main())


def test_extra_source_images_of_trusted_users_reach_the_worker_with_their_strengths(tmp_path: Path) -> None:
    async def main() -> None:
        async with open_horde(tmp_path) as horde:
            await cascade(horde)
            key = await horde.worker_key()
            images = [
                {"image": encoded(small(colour=colour)), "strength": i / 4} for i, colour in enumerate(("red", "blue"))
            ]
            body = IMAGE_REQUEST | CASCADE | {"extra_source_images": images}
            await horde.ok("POST", "/generate/async", body, key=key)
            job = await horde.ok("POST", "/generate/pop", IMAGE_POP | {"models": ["Stable Cascade 1.0"]}, key=key)
            assert [each["strength"] for each in job["extra_source_images"]] == [0.0, 0.25]
            first = await horde.http.get(job["extra_source_images"][0]["image"])
            assert Image.open(io.BytesIO(first.content)).convert("RGB").getpixel((5, 5))[0] > 200  # type: ignore[index]

    run(main())


def test_inpainting_takes_the_alpha_channel_for_the_mask(tmp_path: Path) -> None:
    async def main() -> None:
        async with open_horde(tmp_path) as horde:
            body = IMAGE_REQUEST | {"source_image": encoded(small(mode="RGBA", colour=(1, 2, 3, 4)))}
            body |= {"source_processing": "inpainting"}
            await horde.ok("POST", "/generate/async", body, key=ANONYMOUS)
            job = await horde.ok("POST", "/generate/pop", IMAGE_POP, key=await horde.worker_key())
            source = Image.open(io.BytesIO((await horde.http.get(job["source_image"])).content))
            assert source.mode == "RGBA" and job["source_mask"] is None

    run(main())


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
@pytest.mark.parametrize("operation", ["/generate/async", "/interrogate/async"])
def test_where_a_picture_was_taken_is_removed_and_it_stands_upright(tmp_path: Path, kind: str, operation: str) -> None:
    exif = Image.Exif()
    exif[ORIENTATION] = 6  # turned by the camera
    exif.get_ifd(GPS)[2] = (51.0, 30.0, 0.0)
    source = encoded(small((60, 20)), kind, exif=exif.tobytes())

    async def main() -> None:
        async with open_horde(tmp_path) as horde:
            key = await horde.worker_key()
            if operation == "/generate/async":
                await horde.ok("POST", operation, IMAGE_REQUEST | {"source_image": source}, key=ANONYMOUS)
                link = (await horde.ok("POST", "/generate/pop", IMAGE_POP, key=key))["source_image"]
            else:
                await horde.ok("POST", operation, ALCHEMY_REQUEST | {"source_image": source}, key=ANONYMOUS)
                link = (await horde.ok("POST", "/interrogate/pop", ALCHEMY_POP, key=key))["forms"][0]["source_image"]
            data = (await horde.http.get(link)).content
            assert b"EXIF" not in data and b"Exif" not in data
            kept = Image.open(io.BytesIO(data))
            assert (kept.format, kept.size, len(kept.getexif())) == ("WEBP", (20, 60), 0)

    run(main())


def test_pictures_go_with_their_request(tmp_path: Path) -> None:
    async def main() -> None:
        async with open_horde(tmp_path) as horde:
            body = IMAGE_REQUEST | {"source_image": RED_PNG, "source_mask": RED_PNG, "source_processing": "inpainting"}
            await horde.ok("POST", "/generate/async", body, key=ANONYMOUS)
            await horde.ok("POST", "/interrogate/async", ALCHEMY_REQUEST, key=ANONYMOUS)
            assert await horde.co.blobs.usage() > 0
            horde.clock.advance(20 * 60 + 1)
            await janitor.sweep_expired(horde.co)
            assert await horde.co.blobs.usage() == 0

    run(main())


def test_pictures_of_a_crashed_request_are_swept(tmp_path: Path) -> None:
    """Their row was written first, so that nothing is left for ever."""

    async def main() -> None:
        async with open_horde(tmp_path) as horde:
            await horde.ok("POST", "/interrogate/async", ALCHEMY_REQUEST, key=ANONYMOUS)
            horde.clock.advance(25 * 3600)
            assert await janitor.sweep_blobs(horde.co) == 1
            assert await horde.co.blobs.usage() == 0

    run(main())
