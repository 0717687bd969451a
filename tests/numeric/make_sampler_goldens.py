# mypy: ignore-errors
"""Writes goldens/samplers.npz and goldens/schedules.npz with k-diffusion's samplers and diffusers' schedulers.

Run by hand where torch, diffusers and k-diffusion are installed: python tests/numeric/make_sampler_goldens.py
Noise comes from numpy's generator, so that the test draws the same numbers and no noise is stored.
"""

from __future__ import annotations

import importlib.util
import itertools
import sys
import types
from pathlib import Path

import numpy as np
import torch
from diffusers import DDIMScheduler, DPMSolverMultistepScheduler, EulerDiscreteScheduler, LCMScheduler
from diffusers.schedulers import scheduling_lcm

GOLDENS = Path(__file__).parent / "goldens"
BETAS = {"beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear"}
SHAPE = (1, 4, 6, 6)
STEPS = 20  # divides the training steps: DDIMScheduler walks strides of whole steps
PREDICTIONS = {
    "epsilon": {"prediction_type": "epsilon"},
    "v_prediction": {"prediction_type": "v_prediction"},
    "zero_snr": {"prediction_type": "v_prediction", "rescale_betas_zero_snr": True},
}


def k_diffusion():
    """sampling.py and external.py alone: the package's own start wants training libraries."""
    package = types.ModuleType("k_diffusion")
    package.__path__ = list(importlib.util.find_spec("k_diffusion").submodule_search_locations)
    sys.modules["k_diffusion"] = package
    for name in ("torchvision", "torchvision.transforms", "torchvision.transforms.functional"):
        sys.modules.setdefault(name, types.ModuleType(name))
    sys.modules["torchvision.transforms"].functional = sys.modules["torchvision.transforms.functional"]
    from k_diffusion import external, sampling

    return sampling, external


SAMPLING, EXTERNAL = k_diffusion()
WITH_LEVELS = {
    "k_lms": SAMPLING.sample_lms,
    "k_heun": SAMPLING.sample_heun,
    "k_euler": SAMPLING.sample_euler,
    "k_dpm_2": SAMPLING.sample_dpm_2,
    "k_dpmpp_2m": SAMPLING.sample_dpmpp_2m,
}
WITH_NOISE = {
    "k_euler_a": SAMPLING.sample_euler_ancestral,
    "k_dpm_2_a": SAMPLING.sample_dpm_2_ancestral,
    "k_dpmpp_2s_a": SAMPLING.sample_dpmpp_2s_ancestral,
}


def model(x, t):
    """A stand-in for a UNet; tests/numeric/test_samplers.py has the same."""
    t = torch.as_tensor(t, dtype=torch.float64).reshape(-1, 1, 1, 1)
    return 0.5 * x + 0.3 * torch.sin(3 * x + t / 200)


class VOfSteps(EXTERNAL.DiscreteSchedule):
    """k-diffusion's v denoiser on discrete steps, as its v-diffusion wrapper has it."""

    def __init__(self, kept):
        super().__init__(((1 - kept) / kept) ** 0.5, quantize=False)

    def forward(self, x, sigma):
        skip, out, scale = EXTERNAL.VDenoiser.get_scalings(
            types.SimpleNamespace(sigma_data=1.0), sigma.view(-1, 1, 1, 1)
        )
        return model(x * scale, self.sigma_to_t(sigma)) * out + x * skip


def denoiser(prediction, kept):
    if prediction != "epsilon":
        return VOfSteps(kept)
    return EXTERNAL.DiscreteEpsDDPMDenoiser(model, kept, quantize=False)


def draws():
    """Fresh noise, from the seed that the test has too."""
    random = np.random.Generator(np.random.Philox(2))
    return lambda *_: torch.from_numpy(random.standard_normal(SHAPE, np.float32)).double()


def brownian():
    """Increments of one path for dpmpp_sde: first to the middle of a step, then over all of it."""
    draw, kept = draws(), []

    def increment(sigma, after):
        if not kept:
            kept[:] = [draw(), sigma - after]
            return kept[0]
        first, length = kept
        kept.clear()
        whole = sigma - after
        return (first * length**0.5 + draw() * (whole - length) ** 0.5) / whole**0.5

    return increment


def levels(prediction, karras, kept):
    """Karras' levels, or those of evenly spaced training steps."""
    sigmas = ((1 - kept) / kept) ** 0.5
    if karras:
        return SAMPLING.get_sigmas_karras(STEPS, sigmas[0].item(), sigmas[-1].item()).double()
    scheduler = EulerDiscreteScheduler(**BETAS, **PREDICTIONS[prediction], timestep_spacing="trailing")
    scheduler.set_timesteps(STEPS)
    return torch.cat([sigmas[scheduler.timesteps.long()], torch.zeros(1, dtype=torch.float64)])


def by_k_diffusion(name, denoise, start, sigmas):
    quiet = {"disable": True}
    if name in WITH_LEVELS:
        return WITH_LEVELS[name](denoise, start, sigmas, **quiet)
    if name in WITH_NOISE:
        return WITH_NOISE[name](denoise, start, sigmas, noise_sampler=draws(), **quiet)
    if name == "k_dpmpp_sde":
        return SAMPLING.sample_dpmpp_sde(denoise, start, sigmas, noise_sampler=brownian(), **quiet)
    ends = (sigmas[-2], sigmas[0])
    if name == "k_dpm_fast":
        return SAMPLING.sample_dpm_fast(denoise, start, *ends, STEPS, **quiet)
    if name == "k_dpm_adaptive":
        return SAMPLING.sample_dpm_adaptive(denoise, start, *ends, **quiet)
    raise KeyError(name)


def by_formula(name, denoise, start, sigmas):
    """Where diffusers has no Karras levels: DDIM is Euler's method, lcm a guess and fresh noise."""
    if name == "DDIM":
        return SAMPLING.sample_euler(denoise, start, sigmas, disable=True)
    draw, x = draws(), start
    for sigma, after in itertools.pairwise(sigmas):
        x = denoise(x, sigma * torch.ones(1))
        x = x + draw() * after if after > 0 else x
    return x


SCHEDULERS = {
    "DDIM": lambda **k: DDIMScheduler(timestep_spacing="trailing", clip_sample=False, set_alpha_to_one=True, **k),
    "dpmsolver": lambda **k: DPMSolverMultistepScheduler(timestep_spacing="trailing", **k),
    "lcm": lambda **k: LCMScheduler(clip_sample=False, set_alpha_to_one=True, **k),
}


def by_diffusers(name, prediction, karras, kept):
    """(levels, start and end in the scale of sigmas)."""
    extra = {"use_karras_sigmas": True} if karras else {}
    scheduler = SCHEDULERS[name](**BETAS, **PREDICTIONS[prediction], **extra)
    scheduler.set_timesteps(STEPS)
    times = scheduler.timesteps.long()
    trained = ((1 - kept) / kept) ** 0.5
    sigmas = torch.cat([trained[times], torch.zeros(1, dtype=torch.float64)])
    if karras:
        sigmas = scheduler.sigmas.double()
    start = unit_start()
    draw, x = draws(), start
    scheduling_lcm.randn_tensor = lambda *a, **k: draw()
    for t in scheduler.timesteps:
        at = (
            t
            if not karras
            else scheduler._sigma_to_t(sigmas[scheduler.step_index or 0].numpy(), np.log(trained.numpy()))
        )
        x = scheduler.step(model(x, at), t, x).prev_sample
    return sigmas, start * (sigmas[0] ** 2 + 1) ** 0.5, x


def unit_start():
    return torch.from_numpy(np.random.Generator(np.random.Philox(1)).standard_normal(SHAPE, np.float32)).double()


def walk(name, prediction, karras, out):
    """One golden."""
    kept = EulerDiscreteScheduler(**BETAS, **PREDICTIONS[prediction]).alphas_cumprod.double()
    if name in SCHEDULERS and not (karras and name in ("DDIM", "lcm")):
        sigmas, start, end = by_diffusers(name, prediction, karras, kept)
    else:
        sigmas = levels(prediction, karras, kept)
        start = unit_start() * (sigmas[0] ** 2 + 1) ** 0.5
        run = by_formula if name in SCHEDULERS else by_k_diffusion
        end = run(name, denoiser(prediction, kept), start, sigmas)
    key = f"{name}/{prediction}/{'karras' if karras else 'plain'}"
    out |= {f"{key}/sigmas": sigmas.numpy(), f"{key}/end": end.numpy()}


def schedules(out):
    """Sigmas for every spacing, Karras' between two levels, zero terminal SNR, and the steps of consistency models."""
    for spacing in ("linspace", "leading", "trailing"):
        for steps in (1, 7, 20, 30):
            scheduler = EulerDiscreteScheduler(**BETAS, timestep_spacing=spacing, steps_offset=1)
            scheduler.set_timesteps(steps)
            out[f"{spacing}/{steps}"] = scheduler.sigmas.numpy()
    karras = EulerDiscreteScheduler(**BETAS)._convert_to_karras(
        in_sigmas=np.array([14.6146, 0.0292]), num_inference_steps=20
    )
    out["karras/20"] = np.append(karras, 0.0)
    zero = EulerDiscreteScheduler(**BETAS, timestep_spacing="trailing", rescale_betas_zero_snr=True)
    zero.set_timesteps(20)
    out["zero_snr/20"] = zero.sigmas.numpy()
    for steps in (1, 4, 8):
        scheduler = LCMScheduler(**BETAS)
        scheduler.set_timesteps(steps)
        out[f"lcm/{steps}"] = scheduler.timesteps.numpy()


def main():
    GOLDENS.mkdir(exist_ok=True)
    walks, found = {}, {}
    for name in [*WITH_LEVELS, *WITH_NOISE, "k_dpmpp_sde", "k_dpm_fast", "k_dpm_adaptive", *SCHEDULERS]:
        for prediction in PREDICTIONS:
            for karras in (False, True):
                walk(name, prediction, karras, walks)
    schedules(found)
    np.savez_compressed(GOLDENS / "samplers.npz", **walks)
    np.savez_compressed(GOLDENS / "schedules.npz", **found)


if __name__ == "__main__":
    main()
