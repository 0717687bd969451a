# mypy: ignore-errors
"""Writes goldens/samplers.npz and goldens/schedules.npz with diffusers' schedulers.

Run by hand where torch and diffusers are installed: python tests/numeric/make_sampler_goldens.py
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from diffusers import (
    DDIMScheduler,
    DPMSolverMultistepScheduler,
    EulerAncestralDiscreteScheduler,
    EulerDiscreteScheduler,
)

GOLDENS = Path(__file__).parent / "goldens"
BETAS = {"beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear"}
SHAPE = (1, 4, 6, 6)
STEPS = 10  # divides the training steps: DDIMScheduler walks strides of whole steps
SAMPLERS = {
    "k_euler": lambda **k: EulerDiscreteScheduler(**BETAS, timestep_spacing="trailing", **k),
    "k_euler_a": lambda **k: EulerAncestralDiscreteScheduler(**BETAS, timestep_spacing="trailing", **k),
    "k_dpmpp_2m": lambda **k: DPMSolverMultistepScheduler(**BETAS, timestep_spacing="trailing", **k),
    "DDIM": lambda **k: DDIMScheduler(
        **BETAS, timestep_spacing="trailing", clip_sample=False, set_alpha_to_one=True, **k
    ),
}


def model(x, t):
    """A stand-in for a UNet; tests/numeric/test_samplers.py has the same."""
    return 0.5 * x + 0.3 * torch.sin(3 * x + t / 200)


def walk(name, prediction, out):
    """One golden: start, noise of each step and result, all in the scale of sigmas."""
    scheduler = SAMPLERS[name](prediction_type=prediction)
    scheduler.set_timesteps(STEPS)
    kept = scheduler.alphas_cumprod.double()[scheduler.timesteps.long()]
    sigmas = torch.cat([((1 - kept) / kept).sqrt(), torch.zeros(1)])
    start = torch.randn(SHAPE, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    scaled = start * (sigmas[0] ** 2 + 1) ** 0.5
    x = scaled if name.startswith("k_euler") else start  # the others walk in the scale of unit variance
    noises, random = [], torch.Generator().manual_seed(2)
    for t in scheduler.timesteps:
        predicted = model(scheduler.scale_model_input(x, t), t)
        extra = {}
        if name == "k_euler_a":
            again = torch.Generator().manual_seed(0)
            again.set_state(random.get_state())
            noises.append(torch.randn(SHAPE, generator=again, dtype=predicted.dtype).numpy())
            extra = {"generator": random}
        x = scheduler.step(predicted, t, x, **extra).prev_sample
    key = f"{name}/{prediction}"
    out |= {f"{key}/sigmas": sigmas.numpy(), f"{key}/start": scaled.numpy(), f"{key}/end": x.numpy()}
    out[f"{key}/noises"] = np.array(noises)


def schedules(out):
    """Sigmas for every spacing, and Karras' between two levels."""
    for spacing in ("linspace", "leading", "trailing"):
        for steps in (1, 7, 20, 30):
            scheduler = EulerDiscreteScheduler(**BETAS, timestep_spacing=spacing, steps_offset=1)
            scheduler.set_timesteps(steps)
            out[f"{spacing}/{steps}"] = scheduler.sigmas.numpy()
    karras = EulerDiscreteScheduler(**BETAS)._convert_to_karras(
        in_sigmas=np.array([14.6146, 0.0292]), num_inference_steps=20
    )
    out["karras/20"] = np.append(karras, 0.0)


def main():
    GOLDENS.mkdir(exist_ok=True)
    walks, levels = {}, {}
    for name in SAMPLERS:
        for prediction in ("epsilon", "v_prediction"):
            walk(name, prediction, walks)
    schedules(levels)
    np.savez_compressed(GOLDENS / "samplers.npz", **walks)
    np.savez_compressed(GOLDENS / "schedules.npz", **levels)


if __name__ == "__main__":
    main()
