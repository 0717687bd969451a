"""Numbers that the contract fixes: times, sizes, counts (contract 7, 8.2, 11)."""

from __future__ import annotations

from hordenode.domain.baselines import FLUX, QWEN, Z_IMAGE
from hordenode.domain.entities import User
from hordenode.domain.spec import ImageSpec

MIN_TTL_S = 150
ONLINE_MS = 300_000
LINK_LIFE_MS = 1_800_000
MAX_METADATA = 50
UNTRUSTED_WORKERS = 3
TRUSTED_WORKERS = 20
OWNER_WORKERS = 10_000
_HEAVY_POST_PROCESSORS = frozenset(
    {
        "RealESRGAN_x4plus",
        "RealESRGAN_x4plus_anime_6B",
        "NMKD_Siax",
        "4x_AnimeSharp",
        "CodeFormers",
        "4xNomos8kSC",
        "4xLSDIRplus",
        "4xNomos2_hq_dat2",
        "RestoreFormer",
    }
)
_BATCHING = {FLUX: 5, QWEN: 10, Z_IMAGE: 8}


def image_ttl_s(spec: ImageSpec, baselines: frozenset[str], *, extra_slow: bool) -> int:
    """Seconds until an image job is taken back (contract 8.2)."""
    ttl = 30 + 2 * spec.accurate_steps * (spec.width * spec.height / 262_144)
    if spec.control_type:
        ttl *= 2
    if baselines & set(_BATCHING):
        ttl *= 3
    return round(max(MIN_TTL_S, ttl) * (3 if extra_slow else 1))


def image_batch(spec: ImageSpec, baseline: str, *, amount: int, max_pixels: int, remaining: int) -> int:
    """How many jobs of one request a worker gets at once (contract 7; [FIX] the batching factor is the baseline's)."""
    if spec.disable_batching:
        return 1
    heavy = spec.transparent or any(name in _HEAVY_POST_PROCESSORS for name in spec.post_processing)
    weight = spec.width * spec.height * (1 + 0.4 * len(spec.post_processing)) * (1.8 if heavy else 1)
    safe = round(max_pixels / 3.5 * amount / (weight * _BATCHING.get(baseline, 1)))
    return min(max(1, safe), amount, remaining)


def max_workers(user: User) -> int:
    """How many workers a user may run (contract 11); the owner of the node as many as it likes."""
    if user.admin:
        return OWNER_WORKERS
    return max(TRUSTED_WORKERS if user.trusted else UNTRUSTED_WORKERS, user.worker_invited)
