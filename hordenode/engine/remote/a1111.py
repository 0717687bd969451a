"""A1111's stable-diffusion-webui and the programs with its API (sdapi/v1; its own /docs)."""

from __future__ import annotations

import asyncio
import base64
import io
import logging
from contextlib import suppress
from typing import Any

from PIL import Image

from hordenode.domain.samplers import SAMPLER_NAMES
from hordenode.engine.image.sizes import check_size
from hordenode.engine.image.sources import Source, read_source
from hordenode.engine.jobs import (
    EngineAway,
    EngineError,
    ImageJob,
    ImageResult,
    ModelInfo,
    Picture,
    Progress,
    UnsupportedJob,
)
from hordenode.engine.remote.connection import Connection, RemoteError
from hordenode.engine.remote.dialect import Tell

log = logging.getLogger("hordenode.engine")

LOOK_S = 0.5  # between two looks at its progress
INTERRUPT_S = 5.0
HIRES_SCALE = 2  # of the second pass
HIRES_STRENGTH, SOURCE_STRENGTH, PAINT_STRENGTH = 0.65, 0.75, 1.0
FILL_ORIGINAL, FILL_NOISE = 1, 2  # what it puts under a mask


class A1111:
    """A program at `url`, given without /sdapi. It draws one job at a time."""

    name = "A1111"

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._samplers: set[str] = set()
        self._schedulers = False

    async def models(self) -> list[ModelInfo]:
        found = await self._connection.get("sdapi/v1/sd-models")
        self._samplers = {
            str(name)
            for sampler in await self._connection.get("sdapi/v1/samplers")
            for name in (sampler["name"], *sampler.get("aliases", ()))
        }
        with suppress(RemoteError):  # older versions have a sampler for each schedule instead
            self._schedulers = bool(await self._connection.get("sdapi/v1/schedulers"))
        return [ModelInfo("image", str(model["model_name"])) for model in found]

    async def draw(self, job: ImageJob, tell: Tell) -> ImageResult:
        check_size(job.width, job.height)
        operation, body = await asyncio.to_thread(self._call, job)
        drawn: list[Picture] = []
        for seeds in _batches(job.seeds):
            batch = body | {"seed": seeds[0], "batch_size": len(seeds)}
            drawn += await self._drawn(job, operation, batch, seeds, tell)
        return ImageResult(job.id, tuple(drawn))

    async def aclose(self) -> None:
        await self._connection.aclose()

    async def _drawn(
        self, job: ImageJob, operation: str, body: dict[str, Any], seeds: tuple[int, ...], tell: Tell
    ) -> list[Picture]:
        """A batch. It answers once all is done, so that its progress is the sign of life."""
        loop = asyncio.get_running_loop()
        drawing = asyncio.create_task(self._connection.post(f"sdapi/v1/{operation}", body, patient=True))
        try:
            alive = loop.time()
            while not (await asyncio.wait({drawing}, timeout=LOOK_S))[0]:
                if await self._look(job, tell):
                    alive = loop.time()
                elif loop.time() - alive > self._connection.timeout:
                    raise EngineAway(f"{self._connection.name} gives no sign of life.")
            answer = await drawing
        except BaseException:
            if not drawing.done():
                await self._interrupt()
                drawing.cancel()
                await asyncio.wait({drawing})
            raise
        images = answer.get("images") or []
        if len(images) < len(seeds):
            raise EngineError(f"{self._connection.name} drew {len(images)} of {len(seeds)} pictures.")
        return [await asyncio.to_thread(_picture, image, seed) for image, seed in zip(images, seeds, strict=False)]

    async def _look(self, job: ImageJob, tell: Tell) -> bool:
        """Tell how far it is; False when it does not say. What `tell` raises ends the job."""
        skip = "false" if job.preview_every else "true"
        try:
            found = await self._connection.get(f"sdapi/v1/progress?skip_current_image={skip}")
        except EngineError as error:
            log.debug("no progress of %s: %s", job.id, error)
            return False
        state = found.get("state") or {}
        step, steps = int(state.get("sampling_step") or 0), int(state.get("sampling_steps") or job.steps)
        preview = found.get("current_image")
        shown = await asyncio.to_thread(_picture, preview, 0) if preview else None
        tell(Progress(job.id, min(step, steps), steps, preview=shown))
        return True

    async def _interrupt(self) -> None:
        try:
            async with asyncio.timeout(INTERRUPT_S):
                await self._connection.post("sdapi/v1/interrupt", {})
        except (EngineError, TimeoutError) as error:
            log.debug("an interrupt did not arrive: %s", error)

    def _call(self, job: ImageJob) -> tuple[str, dict[str, Any]]:
        """(operation, body) for a job, but for its seeds."""
        body: dict[str, Any] = {
            "prompt": job.prompt,
            "negative_prompt": job.negative_prompt,
            "steps": job.steps,
            "cfg_scale": job.cfg_scale,
            "width": job.width,
            "height": job.height,
            "tiling": job.tiling,
            **self._sampler(job),
            "override_settings": {"sd_model_checkpoint": job.model, "CLIP_stop_at_last_layers": job.clip_skip},
            "override_settings_restore_afterwards": False,
            "send_images": True,
            "save_images": False,
            "do_not_save_grid": True,
        }
        if not job.source_image:
            return "txt2img", body | (_hires(job) if job.hires_fix else {})
        if job.hires_fix:
            raise UnsupportedJob("A1111 has no hires_fix for pictures that start from another.")
        source = read_source(job.source_image, job.source_mask, job.source_processing, job.width, job.height)
        return "img2img", body | _start(source, job.denoising_strength)

    def _sampler(self, job: ImageJob) -> dict[str, str]:
        """Its name, and that of the schedule where those have names of their own."""
        name = SAMPLER_NAMES.get(job.sampler, job.sampler)
        if self._schedulers:
            found = {"sampler_name": name, "scheduler": "Karras" if job.karras else "Automatic"}
        else:
            karras = f"{name} Karras"
            found = {"sampler_name": karras if job.karras and karras in self._samplers else name}
        if found["sampler_name"] not in self._samplers:
            raise UnsupportedJob(f"{self._connection.name} has no sampler '{name}' ({job.sampler}).")
        return found


def _hires(job: ImageJob) -> dict[str, Any]:
    """Two passes, of which the second one is of the size that was asked for."""
    return {
        "enable_hr": True,
        "hr_upscaler": "Latent",
        "width": job.width // HIRES_SCALE // 8 * 8,
        "height": job.height // HIRES_SCALE // 8 * 8,
        "hr_resize_x": job.width,
        "hr_resize_y": job.height,
        "denoising_strength": _or(job.hires_fix_denoising_strength, HIRES_STRENGTH),
    }


def _start(source: Source, strength: float | None) -> dict[str, Any]:
    """The picture to start from, of the asked size, and what of it is painted anew."""
    start = {"init_images": [_png(Image.fromarray(source.rgb))]}
    if source.mask is None:
        return start | {"denoising_strength": _or(strength, SOURCE_STRENGTH)}
    strength = _or(strength, PAINT_STRENGTH)
    return start | {
        "mask": _png(Image.fromarray(source.mask.astype("uint8") * 255)),
        "inpainting_mask_invert": 0,
        "inpainting_fill": FILL_ORIGINAL if strength < 1 else FILL_NOISE,
        "inpaint_full_res": False,
        "denoising_strength": strength,
    }


def _batches(seeds: tuple[int, ...]) -> list[tuple[int, ...]]:
    """Seeds that follow one another are one batch: it counts up from the first."""
    found: list[list[int]] = []
    for seed in seeds:
        if found and seed == found[-1][-1] + 1:
            found[-1].append(seed)
        else:
            found.append([seed])
    return [tuple(batch) for batch in found]


def _or(value: float | None, usual: float) -> float:
    return usual if value is None else value


def _png(image: Image.Image) -> str:
    out = io.BytesIO()
    image.save(out, "PNG")
    return base64.b64encode(out.getvalue()).decode()


def _picture(encoded: str, seed: int) -> Picture:
    """A picture as it answers with it: base64 of a PNG, JPEG or WebP, perhaps as a data link. EngineError for another."""
    try:
        data = base64.b64decode(encoded.rpartition(",")[2])
        image = Image.open(io.BytesIO(data), formats=("PNG", "JPEG", "WEBP")).convert("RGB")
    except Exception as error:  # Pillow's plugins raise whatever their parsing meets
        raise EngineError(f"A1111 answered with something that is no picture: {error}") from error
    return Picture(image.width, image.height, image.tobytes(), seed)
