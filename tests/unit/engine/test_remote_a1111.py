"""A1111 as an engine."""

from __future__ import annotations

import asyncio
import base64
import io
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from PIL import Image

from hordenode.catalog import Catalog
from hordenode.config import EngineSettings
from hordenode.engine.engine import Engine
from hordenode.engine.jobs import (
    EngineError,
    ImageJob,
    ImageResult,
    JobCancelled,
    Progress,
    TextJob,
    UnsupportedJob,
)
from hordenode.engine.remote import a1111
from tests.support.aio import run
from tests.support.dialects import FakeA1111, png, served

JOB = ImageJob("one", "deliberate_v2", "a house", "fog", (7,), 128, 64, 6, 5.5, "k_dpmpp_2m", True, 2)
SOURCE = base64.b64decode(png("green", 128, 64))


def drawn(
    program: FakeA1111, job: ImageJob, tell: Callable[[Progress], None] | None = None, **options: Any
) -> ImageResult:
    async def story(url: str) -> ImageResult:
        settings = EngineSettings(**({"backend": "a1111", "url": f"{url}/sdapi/v1"} | options))
        engine = await asyncio.to_thread(Engine, Catalog(), settings)
        assert [(each.kind, each.name) for each in engine.models()] == [("image", "deliberate_v2")]
        await engine.start()
        try:
            result = await engine.generate(job, tell)
            assert isinstance(result, ImageResult)
            return result
        finally:
            await engine.close()

    with served(program.app) as url:
        return run(story(url))


def test_a_picture_is_drawn() -> None:
    program = FakeA1111()
    (picture,) = drawn(program, JOB).images
    assert (picture.width, picture.height, picture.seed, picture.nsfw) == (128, 64, 7, None)
    assert picture.rgb[:3] == b"\xff\0\0"
    assert program.bodies == [
        {
            "prompt": "a house",
            "negative_prompt": "fog",
            "seed": 7,
            "batch_size": 1,
            "width": 128,
            "height": 64,
            "steps": 6,
            "cfg_scale": 5.5,
            "sampler_name": "DPM++ 2M",
            "scheduler": "Karras",
            "tiling": False,
            "override_settings": {"sd_model_checkpoint": "deliberate_v2", "CLIP_stop_at_last_layers": 2},
            "override_settings_restore_afterwards": False,
            "send_images": True,
            "save_images": False,
            "do_not_save_grid": True,
        }
    ]


def test_seeds_that_follow_one_another_are_one_batch() -> None:
    program = FakeA1111()
    result = drawn(program, replace(JOB, seeds=(7, 8, 9, 100)))
    assert [picture.seed for picture in result.images] == [7, 8, 9, 100]
    assert [(body["seed"], body["batch_size"]) for body in program.bodies] == [(7, 3), (100, 1)]


@pytest.mark.parametrize(
    ("karras", "sampler", "name"), [(True, "k_dpmpp_2m", "DPM++ 2M Karras"), (True, "k_euler_a", "Euler a")]
)
def test_an_old_one_has_schedules_in_its_samplers(karras: bool, sampler: str, name: str) -> None:
    program = FakeA1111(old=True)
    drawn(program, replace(JOB, sampler=sampler, karras=karras))
    assert program.bodies[0]["sampler_name"] == name
    assert "scheduler" not in program.bodies[0]


def test_hires_fix_has_two_passes() -> None:
    program = FakeA1111()
    (picture,) = drawn(program, replace(JOB, hires_fix=True, hires_fix_denoising_strength=0.4)).images
    assert (picture.width, picture.height) == (128, 64)
    said = {"enable_hr": True, "width": 64, "height": 32, "hr_resize_x": 128, "hr_resize_y": 64}
    assert program.bodies[0].items() >= (said | {"denoising_strength": 0.4}).items()


def test_img2img_starts_from_the_picture() -> None:
    program = FakeA1111()
    drawn(program, replace(JOB, source_image=SOURCE, denoising_strength=0.3))
    body = program.bodies[0]
    start = Image.open(io.BytesIO(base64.b64decode(body["init_images"][0])))
    assert (start.size, start.convert("RGB").getpixel((0, 0))) == ((128, 64), (0, 128, 0))
    assert body["denoising_strength"] == 0.3
    assert "mask" not in body


def test_inpainting_sends_what_is_painted_anew_in_white() -> None:
    program = FakeA1111()
    image = Image.new("L", (128, 64), 0)
    image.paste(255, (64, 0, 128, 64))
    out = io.BytesIO()
    image.save(out, "PNG")
    drawn(program, replace(JOB, source_image=SOURCE, source_mask=out.getvalue(), source_processing="inpainting"))
    body = program.bodies[0]
    mask = Image.open(io.BytesIO(base64.b64decode(body["mask"])))
    assert (mask.getpixel((0, 0)), mask.getpixel((127, 0))) == (0, 255)
    assert (body["inpainting_mask_invert"], body["denoising_strength"]) == (0, 1.0)


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"sampler": "k_heun"}, r"has no sampler 'Heun' \(k_heun\)"),
        ({"width": 100}, "width 100 is not a multiple of 64"),
        ({"hires_fix": True, "source_image": SOURCE}, "no hires_fix"),
    ],
)
def test_what_it_cannot_do_fails_the_job(change: dict[str, Any], named: str) -> None:
    program = FakeA1111()
    with pytest.raises(UnsupportedJob, match=named):
        drawn(program, replace(JOB, **change))
    assert program.bodies == []


def test_what_it_refuses_is_told() -> None:
    program = FakeA1111()
    program.refusals += [(500, {"error": "OutOfMemoryError", "detail": "", "errors": "CUDA out of memory"})]
    with pytest.raises(EngineError, match="status 500: OutOfMemoryError"):
        drawn(program, JOB)


def test_texts_are_refused() -> None:
    async def story(url: str) -> None:
        engine = await asyncio.to_thread(Engine, Catalog(), EngineSettings(backend="a1111", url=url))
        await engine.start()
        with pytest.raises(UnsupportedJob, match="A1111 makes no texts"):
            await engine.generate(TextJob("one", "deliberate_v2", "Once"))
        await engine.close()

    with served(FakeA1111().app) as url:
        run(story(url))


def test_its_key_is_a_user_with_a_password() -> None:
    program = FakeA1111()
    drawn(program, JOB, key="user:pass")
    assert {each["authorization"] for each in program.headers} == {f"Basic {base64.b64encode(b'user:pass').decode()}"}


def test_steps_and_previews_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(a1111, "LOOK_S", 0.01)
    program = FakeA1111()
    program.gate.clear()
    told: list[Progress] = []

    def tell(progress: Progress) -> None:
        told.append(progress)
        program.gate.set()

    drawn(program, replace(JOB, preview_every=1), tell)
    assert (told[0].step, told[0].steps) == (3, 6)
    assert told[0].preview is not None
    assert told[0].preview.rgb[:3] == b"\0\0\xff"


def test_a_picture_may_take_longer_than_the_timeout_as_long_as_there_is_progress(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(a1111, "LOOK_S", 0.02)
    program = FakeA1111()
    program.gate.clear()
    until = time.monotonic() + 2.0

    def tell(progress: Progress) -> None:
        if time.monotonic() > until:
            program.gate.set()

    assert drawn(program, JOB, tell, timeout=1.0).images


def test_cancelling_interrupts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(a1111, "LOOK_S", 0.01)
    program = FakeA1111()
    program.gate.clear()

    async def story(url: str) -> None:
        engine = await asyncio.to_thread(Engine, Catalog(), EngineSettings(backend="a1111", url=url))
        await engine.start()
        drawing = asyncio.create_task(engine.generate(JOB))
        await asyncio.to_thread(program.begun.wait)
        engine.cancel(JOB.id)
        with pytest.raises(JobCancelled):
            await drawing
        assert program.gone.is_set()
        await engine.close()

    with served(program.app) as url:
        run(story(url))
