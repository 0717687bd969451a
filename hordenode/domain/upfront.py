"""Requests that only those make who can pay for them in advance, while there is more to do than workers can (contract 5).

`load` says how busy the horde is; the busier, the smaller a request has to be to go without.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from msgspec.structs import replace

from hordenode.domain.baselines import CASCADE, FLUX, SDXL, Baselines
from hordenode.domain.kudos import milli, model_size
from hordenode.domain.spec import DOUBLE_STEP_SAMPLERS, GenerationSpec, ImageSpec, TextSpec

LARGEST_SIDE, SMALLEST_SIDE = 1024, 576
LONGEST_TEXT, SHORTEST_TEXT = 512, 256
MAX_STEPS, CONTROL_STEPS, LCM_STEPS = 40, 20, 10
DOWNGRADED_STEPS, FEWEST_STEPS = 30, 5
SMALLEST_AREA = 512 * 512
_LARGE_FAMILIES = frozenset({SDXL, CASCADE, FLUX})
_LCM_LORAS = frozenset({"195519", "216190", "324115"})
_LCM_VERSIONS = frozenset({"246747", "247778", "268475", "243643", "225222", "219782", "363353"})


@dataclass(frozen=True, slots=True)
class Load:
    """Jobs that wait or run, and threads of the workers that are there, of one kind."""

    jobs: int
    threads: int


def largest_side(spec: ImageSpec, load: Load, baselines: Baselines) -> int:
    """A picture may have as many pixels as a square of this side."""
    side = max(SMALLEST_SIDE, LARGEST_SIDE + 10 * load.threads - round(0.9 * load.jobs))
    if any(baselines.of(model) in _LARGE_FAMILIES for model in spec.audience.models):
        side = max(side, LARGEST_SIDE)
    return min(side, LARGEST_SIDE)


def longest_text(load: Load) -> int:
    """A text may have as many tokens."""
    return max(SHORTEST_TEXT, min(LONGEST_TEXT, LONGEST_TEXT + 5 * load.threads - round(0.9 * load.jobs)))


def is_needed(spec: GenerationSpec, load: Load, baselines: Baselines) -> bool:
    """Whether the request needs kudos in advance."""
    if not spec.audience.slow_workers:
        return True
    if isinstance(spec, TextSpec):
        return spec.max_length > longest_text(load)
    side = largest_side(spec, load, baselines)
    return spec.accurate_steps > _allowed_steps(spec, MAX_STEPS) or spec.width * spec.height > side * side


def text_amount(spec: TextSpec, known: Mapping[str, float]) -> int:
    """What a text needs in advance, in thousandths; `known`: sizes of models in billions of parameters."""
    models = spec.audience.models
    if not models:
        return milli(20 * spec.n)
    size = max(model_size(model, dict(known)) or 1.0 for model in models)
    return milli(round(spec.max_length * size / 21, 2) * spec.n)


def downgraded(spec: GenerationSpec, load: Load, baselines: Baselines) -> GenerationSpec:
    """The request made small enough to go without."""
    audience = replace(spec.audience, slow_workers=True)
    if isinstance(spec, TextSpec):
        return replace(spec, audience=audience, max_length=min(spec.max_length, longest_text(load)))
    width, height = _fitting(spec.width, spec.height, largest_side(spec, load, baselines))
    return replace(spec, audience=audience, width=width, height=height, steps=_fewer_steps(spec))


def _allowed_steps(spec: ImageSpec, ordinary: int) -> int:
    if _is_lcm(spec):
        return LCM_STEPS
    return CONTROL_STEPS if spec.control_type else ordinary


def _is_lcm(spec: ImageSpec) -> bool:
    return spec.sampler_name == "lcm" or any(
        lora.name in (_LCM_VERSIONS if lora.is_version else _LCM_LORAS) for lora in spec.loras
    )


def _fitting(width: int, height: int, side: int) -> tuple[int, int]:
    """Both sides scaled alike to multiples of 64, though not below the area of 512x512."""
    area = max(side * side, SMALLEST_AREA)
    if width * height <= area:
        return width, height
    scale = math.sqrt(area / (width * height))
    return max(64, int(width * scale) // 64 * 64), max(64, int(height * scale) // 64 * 64)


def _fewer_steps(spec: ImageSpec) -> int:
    """k_dpm_adaptive makes as many as it wants, whatever is asked."""
    allowed = _allowed_steps(spec, DOWNGRADED_STEPS)
    if spec.accurate_steps <= allowed or spec.sampler_name == "k_dpm_adaptive":
        return spec.steps
    return max(FEWEST_STEPS, allowed // (2 if spec.sampler_name in DOUBLE_STEP_SAMPLERS else 1))
