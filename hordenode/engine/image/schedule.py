"""Noise levels: those a model was trained with, and those a picture is drawn through.

sigma is noise over signal of a variance-preserving model: sigma² = (1 − ᾱ) / ᾱ (Karras et al. 2022, table 1).
"""

from __future__ import annotations

import msgspec
import numpy as np
from numpy.typing import NDArray

Levels = NDArray[np.float64]

RHO = 7.0
TRACE = 2.0**-12  # a sigma of 4096, as diffusers has it


class UnsupportedSchedule(ValueError):
    """A scheduler configuration that is not one of ours."""


class SchedulerConfig(msgspec.Struct, frozen=True):
    """What matters of scheduler_config.json; names and defaults are diffusers'."""

    num_train_timesteps: int = 1000
    beta_start: float = 0.0001
    beta_end: float = 0.02
    beta_schedule: str = "linear"
    trained_betas: list[float] | None = None
    prediction_type: str = "epsilon"
    timestep_spacing: str = "linspace"
    steps_offset: int = 0
    rescale_betas_zero_snr: bool = False
    original_inference_steps: int = 50
    class_name: str = msgspec.field(name="_class_name", default="")

    @property
    def spacing(self) -> str:
        """How a walk's training steps are chosen; consistency models know only those of their distillation."""
        return "lcm" if self.class_name == "LCMScheduler" else self.timestep_spacing


class Schedule:
    """The training steps of a model as sigmas, and how to walk down through them."""

    def __init__(self, config: SchedulerConfig) -> None:
        if config.spacing not in _SPACINGS:
            raise UnsupportedSchedule(f"timestep_spacing '{config.timestep_spacing}' is unknown")
        kept: Levels = np.cumprod(1.0 - _betas(config), dtype=np.float64)
        if config.rescale_betas_zero_snr:
            kept = _without_last_signal(kept)
        self._trained: Levels = np.sqrt((1.0 - kept) / kept)
        self._logs = np.log(self._trained)
        self._spacing = _SPACINGS[config.spacing]
        self._config = config

    @property
    def begins_at_the_top(self) -> bool:
        """Whether walks start at the highest level of training, however few their steps."""
        return self._config.spacing in ("linspace", "trailing")

    @property
    def sigma_min(self) -> float:
        """The lowest noise level of training."""
        return float(self._trained[0])

    @property
    def sigma_max(self) -> float:
        """The highest noise level of training."""
        return float(self._trained[-1])

    def sigmas(self, steps: int, *, karras: bool) -> Levels:
        """Noise levels [steps + 1], falling, the last one 0."""
        if karras:
            return karras_sigmas(steps, self.sigma_min, self.sigma_max)
        times = self._spacing(len(self._trained), steps, self._config)
        levels = np.interp(times, np.arange(len(self._trained)), self._trained)
        return np.append(levels, 0.0)

    def timestep(self, sigma: float) -> float:
        """The training step of a noise level, between two of them by the logarithm."""
        return float(np.interp(np.log(sigma), self._logs, np.arange(len(self._logs))))


def karras_sigmas(steps: int, sigma_min: float, sigma_max: float) -> Levels:
    """Karras et al. 2022, equation 5, with rho 7: [steps + 1], falling, the last one 0."""
    ramp = np.linspace(0.0, 1.0, steps)
    low, high = sigma_min ** (1 / RHO), sigma_max ** (1 / RHO)
    return np.append((high + ramp * (low - high)) ** RHO, 0.0)


def _betas(config: SchedulerConfig) -> Levels:
    count, start, end = config.num_train_timesteps, config.beta_start, config.beta_end
    if config.trained_betas is not None:
        return np.array(config.trained_betas, np.float64)
    if config.beta_schedule == "linear":
        return np.linspace(start, end, count, dtype=np.float64)
    if config.beta_schedule == "scaled_linear":
        roots: Levels = np.linspace(start**0.5, end**0.5, count)
        return np.asarray(roots**2, np.float64)
    raise UnsupportedSchedule(f"beta_schedule '{config.beta_schedule}' is unknown")


def _without_last_signal(kept: Levels) -> Levels:
    """Zero terminal SNR (Lin et al. 2024, algorithm 1). The last step keeps a trace, so that its sigma is finite."""
    roots = np.sqrt(kept)
    roots = (roots - roots[-1]) * roots[0] / (roots[0] - roots[-1])
    roots[-1] = TRACE
    return np.asarray(roots**2, np.float64)


# Lin et al. 2024 ("Common diffusion noise schedules ..."), table 2: which training steps a walk of `steps` visits.


def _linspace(trained: int, steps: int, config: SchedulerConfig) -> Levels:
    return np.linspace(trained - 1.0, 0.0, steps)


def _leading(trained: int, steps: int, config: SchedulerConfig) -> Levels:
    return np.arange(steps, dtype=np.float64)[::-1] * (trained // steps) + config.steps_offset


def _trailing(trained: int, steps: int, config: SchedulerConfig) -> Levels:
    return np.round(trained - np.arange(steps) * (trained / steps)) - 1.0


def _lcm(trained: int, steps: int, config: SchedulerConfig) -> Levels:
    """Luo et al. 2023, section 4.3: evenly among the steps of the distillation."""
    known = np.arange(1, config.original_inference_steps + 1) * (trained // config.original_inference_steps) - 1
    picked = np.floor(np.linspace(0, len(known), steps, endpoint=False)).astype(np.int64)
    return np.asarray(known[::-1][picked], np.float64)


_SPACINGS = {"linspace": _linspace, "leading": _leading, "trailing": _trailing, "lcm": _lcm}
