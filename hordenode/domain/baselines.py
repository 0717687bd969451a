"""Which family an image model belongs to (contract 21)."""

from __future__ import annotations

SD1 = "stable diffusion 1"
SD2 = "stable diffusion 2"
SD2_512 = "stable diffusion 2 512"
SDXL = "stable_diffusion_xl"
CASCADE = "stable_cascade"
FLUX = "flux_1"
QWEN = "qwen_image"
Z_IMAGE = "z_image_turbo"

_MARKS = (("[SDXL]", SDXL), ("[Flux]", FLUX), ("[Qwen]", QWEN), ("[ZModel]", Z_IMAGE), ("[ZImage]", Z_IMAGE))


class Baselines:
    """Model name to baseline: what models.toml says, else a mark in the name, else Stable Diffusion 1."""

    def __init__(self, known: dict[str, str] | None = None) -> None:
        self._known = dict(known or {})

    def of(self, model: str) -> str:
        """The baseline of a model name, known or not."""
        if model in self._known:
            return self._known[model]
        return next((baseline for mark, baseline in _MARKS if mark in model), SD1)

    def known(self, model: str) -> bool:
        """Whether the name stands in the reference list (here: models.toml)."""
        return model in self._known
