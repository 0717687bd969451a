"""What a worker program can do, by its agent string (contract 6.4).

The public horde treats an unknown agent as able to do nothing special. A private node treats it as fully capable, so
that the owner's own programs work; the offer's `allow_*` flags still rule.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

_BASE_REGEN = (
    "img2img inpainting karras post_processing GFPGAN RealESRGAN_x4plus r2 CodeFormers clip_skip r2_source controlnet "
    "strip_background return_control_map RealESRGAN_x4plus_anime_6B NMKD_Siax 4x_AnimeSharp image_is_control "
    "RealESRGAN_x2plus hires_fix tiling"
)
_NEW_POST_PROCESSORS = (
    "4xNomos8kSC 4xLSDIRplus 4xNomosWebPhoto_RealPLKSR 4xNomos2_realplksr_dysample 4xNomos2_hq_dat2 "
    "2xModernSpanimationV1 GFPGANv1.3 RestoreFormer"
)

# Agent name -> (from which version, capabilities). Ours says what its engine really has, so that a request for more
# waits for a worker that can do it instead of failing here.
_TABLE: dict[str, tuple[tuple[int, str], ...]] = {
    "hordenode": ((0, "r2 r2_source karras img2img inpainting clip_skip hires_fix tiling"),),
    "AI Horde Worker reGen": (
        (1, _BASE_REGEN),
        (2, "textual_inversion lora"),
        (3, "lora_versions"),
        (5, "extra_source_images"),
        (6, "stable_cascade_2pass"),
        (7, "qr_code extra_texts workflow"),
        (8, "layer_diffuse"),
        (9, "flux"),
        (13, _NEW_POST_PROCESSORS),
    ),
    "AI Horde Worker": (
        (3, "img2img"),
        (4, "inpainting"),
        (6, "karras"),
        (7, "post_processing GFPGAN RealESRGAN_x4plus"),
        (8, "r2"),
        (9, "CodeFormers"),
        (13, "hires_fix clip_skip"),
        (14, "r2_source"),
        (15, "controlnet"),
        (18, "strip_background return_control_map RealESRGAN_x4plus_anime_6B"),
        (19, "NMKD_Siax 4x_AnimeSharp"),
        (21, "RealESRGAN_x2plus"),
        (22, "lora"),
        (23, "image_is_control"),
        (24, "textual_inversion"),
    ),
    "SD-WebUI Stable Horde Worker Bridge": (
        (1, "inpainting karras r2 CodeFormers"),
        (2, "tiling"),
        (3, "r2_source"),
        (4, "clip_skip"),
    ),
    "HordeAutoWebBridge": ((1, "inpainting img2img karras"), (2, "tiling")),
}

_ALL_SAMPLERS = frozenset(
    "k_lms k_heun k_euler k_euler_a k_dpm_2 k_dpm_2_a k_dpm_fast k_dpm_adaptive k_dpmpp_2s_a k_dpmpp_2m k_dpmpp_sde "
    "dpmsolver DDIM lcm".split()
)

# Agent name -> (from which version, samplers with any karras setting, samplers only without karras).
_SAMPLERS: dict[str, tuple[tuple[int, frozenset[str], frozenset[str]], ...]] = {
    "hordenode": ((0, _ALL_SAMPLERS, frozenset()),),
    "AI Horde Worker reGen": ((2, _ALL_SAMPLERS - {"lcm"}, frozenset()), (3, frozenset({"lcm"}), frozenset())),
    "AI Horde Worker": (
        (11, _ALL_SAMPLERS - {"k_dpmpp_sde", "DDIM", "lcm"}, frozenset()),
        (12, frozenset({"k_dpmpp_sde"}), frozenset()),
        (17, frozenset(), frozenset({"DDIM"})),
    ),
    "SD-WebUI Stable Horde Worker Bridge": ((1, _ALL_SAMPLERS - {"dpmsolver", "DDIM", "lcm"}, frozenset({"DDIM"})),),
    "HordeAutoWebBridge": (
        (
            1,
            frozenset({"k_lms", "k_dpm_2", "k_dpm_2_a", "k_dpmpp_2s_a", "k_dpmpp_2m", "dpmsolver"}),
            frozenset({"k_heun", "k_euler", "k_euler_a", "k_dpm_fast", "k_dpm_adaptive"}),
        ),
    ),
}

# Who knows the `hordenode` object of a text payload (protocol/extension.py).
EXTENDED_TEXT_BACKENDS = frozenset({"hordenode"})

VALIDATED_TEXT_BACKENDS = frozenset(
    {
        "AI Horde Worker",
        "AI Horde Worker~aphrodite~oai",
        "AI Horde Worker~aphrodite~kai",
        "KoboldCppEmbedWorker",
        "TabbyAPI",
    }
)


@dataclass(frozen=True, slots=True)
class Agent:
    """An agent string `name:version:url`, parsed; `major` is the first number of its version."""

    name: str
    major: int

    @classmethod
    @lru_cache(maxsize=256)
    def parse(cls, text: str) -> Agent:
        """Never fails: an unparsable version is 0, which no capability starts at."""
        name, _, rest = text.partition(":")
        digits = rest.partition(":")[0].partition(".")[0]
        return cls(name, int(digits) if digits.isdecimal() and len(digits) < 10 else 0)

    def capabilities(self) -> frozenset[str] | None:
        """What the table says; None for an unknown agent, which means everything."""
        rows = _TABLE.get(self.name)
        if rows is None:
            return None
        return frozenset(word for version, words in rows if self.major >= version for word in words.split())

    def samples(self, sampler: str, karras: bool) -> bool:
        """Whether the agent knows the sampler with this karras setting."""
        rows = _SAMPLERS.get(self.name)
        if rows is None:
            return True
        held = [row for row in rows if self.major >= row[0]]
        return any(sampler in always or (sampler in plain and not karras) for _, always, plain in held)
