"""What a request costs and a job earns (contract 10). Amounts are integers in thousandths of a kudos.

Images use the published fallback formula (contract 10.1); the reference's trained network is not ours to ship.
"""

from __future__ import annotations

import math
from functools import lru_cache

from hordenode.domain.baselines import CASCADE, FLUX, QWEN, SDXL, Z_IMAGE
from hordenode.domain.entities import User
from hordenode.domain.matching import parameters_in_billions
from hordenode.domain.spec import ImageSpec, Spec, TextSpec

UPSCALERS = frozenset(
    "RealESRGAN_x4plus RealESRGAN_x2plus RealESRGAN_x4plus_anime_6B NMKD_Siax 4x_AnimeSharp 4xNomos8kSC 4xLSDIRplus "
    "4xNomosWebPhoto_RealPLKSR 4xNomos2_realplksr_dysample 4xNomos2_hq_dat2 2xModernSpanimationV1".split()
)
_FACTORS = {SDXL: 2, CASCADE: 4, FLUX: 8, Z_IMAGE: 8, QWEN: 12}
_STEP_PRICE = 0.1232
_UNVALIDATED_FACTOR = 0.3
MOST_UPTIME_CONTEXT = 262_144  # tokens that count for a text worker's uptime
ALCHEMY_UPTIME = 40_000
UPTIME_S = 600  # of being there between two rewards


def milli(kudos: float) -> int:
    """Kudos as the wire has them to thousandths."""
    return round(kudos * 1000)


def kudos(amount: int) -> float:
    """Thousandths to kudos as the wire has them."""
    return amount / 1000


def image_price(spec: ImageSpec) -> int:
    """Price of one job, whatever the model (contract 10.1)."""
    area = max(0.0, (spec.width * spec.height - 4096) / (1_048_576 - 4096))
    quality = area**1.75
    price = round(_STEP_PRICE * spec.steps + quality * _STEP_PRICE * spec.steps * 8.75, 2)
    for _ in spec.post_processing:
        price = round(price * 1.2, 2)
    if spec.control_type and not spec.return_control_map:
        price *= 3
    return milli(price + 3 * len(spec.loras) + (1 if spec.tis else 0))


def baseline_factor(baseline: str, spec: ImageSpec) -> int:
    """What a heavier family multiplies the reward by (contract 10.2)."""
    if baseline == SDXL and spec.workflow == "qr_code":
        return 4
    if baseline == CASCADE and spec.hires_fix:
        return 7
    return _FACTORS.get(baseline, 1)


def image_reward(spec: ImageSpec, baseline: str) -> int:
    """What a finished job pays its worker (contract 10.2, bridge factor 1)."""
    return image_price(spec) * baseline_factor(baseline, spec)


def image_charge(spec: ImageSpec, reward: int, *, censored: bool = False) -> int:
    """What a finished job costs its requester (contract 10.2)."""
    cost = 0.0 if censored else float(reward)
    if spec.source_image is not None:
        cost *= 1.3
    for name in spec.post_processing:
        cost *= 1.05 if name in UPSCALERS else 1.0
    cost += 1000
    if not spec.audience.slow_workers:
        cost *= 1.2
    if spec.audience.worker_blacklist:
        cost *= 1.1
    return round(cost)


def activation_charge(spec: Spec, *, styled: bool = False) -> int:
    """The tax taken when a request is accepted (contract 10.3; [FIX] the style's share only with a style)."""
    extra = 5 * len(spec.extra_source_images) if isinstance(spec, ImageSpec) else 0
    return milli(1 + extra + (2 if styled else 0))


def dry_run_image(spec: ImageSpec, baseline: str) -> int:
    """What the whole request is estimated to cost (contract 10.3)."""
    return image_charge(spec, image_price(spec)) * spec.n * baseline_factor(baseline, spec) + 1000


def model_size(model: str, known: dict[str, float]) -> float | None:
    """Parameters in billions: from models.toml, else read off the name, else None for an unknown model."""
    return known.get(model) or parameters_in_billions(model)


@lru_cache(maxsize=1024)
def context_factor(tokens: int) -> float:
    """`ctx` of contract 10.4."""
    growth = 2.2 ** math.log2(tokens / 1024) if tokens > 0 else 0.0
    return float(min(30.0, max(0.1, 1.2 + growth)))


def counted_tokens(text: str, max_length: int) -> int:
    """Four characters count as one token, at least 20, at most what was asked (contract 10.4)."""
    return min(max_length, max(20, -(-len(text) // 4)))


@lru_cache(maxsize=1024)
def size_bonus(size: float) -> float:
    """`bonus` of contract 10.4; size in billions of parameters."""
    return float((max(size, 13) / 13) ** 0.2)


def text_price(spec: TextSpec, size: float | None) -> int:
    """Dry-run price of one job (contract 10.4); `size` of the first model, None when it is unknown."""
    ctx = context_factor(spec.max_context_length)
    if not spec.audience.models:
        return milli(round(spec.max_length * 13 * ctx / 100, 2))
    if size is None:
        return milli(spec.max_length * 0.027 * ctx)
    return milli(round(spec.max_length * size_bonus(size) * size * ctx / 100, 2))


def text_reward(spec: TextSpec, result: str, size: float | None, *, owner_trusted: bool, validated: bool) -> int:
    """What a finished text pays its worker (contract 10.4)."""
    ctx = context_factor(counted_tokens(spec.prompt, spec.max_length))
    tokens = counted_tokens(result, spec.max_length)
    if size is None:
        return milli(tokens * ctx * 0.027) if owner_trusted else milli(ctx)
    factor = 1.0 if validated else _UNVALIDATED_FACTOR
    return milli(round(tokens * size_bonus(size) * size / 125 * factor * ctx, 2))


def text_charge(reward: int, *, censored: bool = False) -> int:
    """What a finished text costs its requester (contract 10.4)."""
    return (0 if censored else reward) + 1000


def floor_of(user: User) -> int:
    """A movement never leaves a balance below this (contract 10.5)."""
    if user.anonymous:
        return milli(-50)
    return milli(14 if user.pseudonymous else 25)


def image_uptime(models: int, *, lora: bool) -> int:
    """What ten minutes of an image worker earn (contract 10.7)."""
    return milli(50 + 2 * models + (30 if lora else 0))


def text_uptime(max_context: int, size: float | None, *, validated: bool) -> int:
    """What ten minutes of a text worker earn; `size` of its first model, None when it is unknown (contract 10.7)."""
    base = 25 + 15 * min(max_context, MOST_UPTIME_CONTEXT) / 1024
    if size is None:
        return milli(base * 0.5)
    return milli(round(base * (1.0 if validated else _UNVALIDATED_FACTOR) * max(0.25, size / 7), 2))
