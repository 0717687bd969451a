"""The noise schedule of the image model, in numpy, for training and evaluation alike."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

STEPS = 1000
BETA_START = 0.00085
# Ends at a sigma of about 79: practically pure noise, yet finite, so that every sigma spacing works.
BETA_END = 0.021

# What diffusers calls this schedule.
SCHEDULER_CONFIG: dict[str, object] = {
    "_class_name": "EulerDiscreteScheduler",
    "_diffusers_version": "0.39.0",
    "beta_end": BETA_END,
    "beta_schedule": "scaled_linear",
    "beta_start": BETA_START,
    "clip_sample": False,
    "num_train_timesteps": STEPS,
    "prediction_type": "v_prediction",
    "set_alpha_to_one": False,
    "steps_offset": 0,
    "timestep_spacing": "trailing",
    "trained_betas": None,
}


def signal_and_noise() -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the factors of picture and noise at every training step, each [1000]; their squares add up to one."""
    betas = np.linspace(BETA_START**0.5, BETA_END**0.5, STEPS) ** 2
    kept = np.cumprod(1 - betas)
    return np.sqrt(kept), np.sqrt(1 - kept)


def trailing_timesteps(count: int) -> NDArray[np.int64]:
    """Return `count` training steps from the last one down, evenly spaced."""
    return np.round(np.arange(STEPS, 0, -STEPS / count)).astype(np.int64) - 1
