"""Samplers: from noise to a clean latent along given noise levels, with any denoiser (k-diffusion's shape).

Each takes a latent x with noise of sigmas[0] and walks to sigmas[-1] = 0. `noise` gives a fresh latent of unit normal
noise; `progress` hears the number of the finished step, and what it raises ends the walk.
"""

from __future__ import annotations

from hordenode.engine.image.samplers.dpm import dpm_2, dpm_2_ancestral
from hordenode.engine.image.samplers.dpm_solver import dpm_adaptive, dpm_fast
from hordenode.engine.image.samplers.dpmpp import dpmpp_2m, dpmpp_2s_ancestral, dpmpp_sde
from hordenode.engine.image.samplers.euler import euler, euler_ancestral, heun
from hordenode.engine.image.samplers.lcm import lcm
from hordenode.engine.image.samplers.lms import lms
from hordenode.engine.image.samplers.walk import Noise, Sampler, StepDone, ancestral_split

# By the horde's names. DDIM with η = 0 is Euler's method in σ (Song et al. 2021, section 4.3); "dpmsolver" is what
# Stable Diffusion's first scripts called DPM-Solver++ of second order, multistep.
SAMPLERS: dict[str, Sampler] = {
    "k_lms": lms,
    "k_heun": heun,
    "k_euler": euler,
    "k_euler_a": euler_ancestral,
    "k_dpm_2": dpm_2,
    "k_dpm_2_a": dpm_2_ancestral,
    "k_dpm_fast": dpm_fast,
    "k_dpm_adaptive": dpm_adaptive,
    "k_dpmpp_2s_a": dpmpp_2s_ancestral,
    "k_dpmpp_2m": dpmpp_2m,
    "k_dpmpp_sde": dpmpp_sde,
    "dpmsolver": dpmpp_2m,
    "DDIM": euler,
    "lcm": lcm,
}

# These choose their own levels between sigmas[0] and the lowest one above 0, where they end.
RANGE_SAMPLERS = frozenset({"k_dpm_fast", "k_dpm_adaptive"})

# Of latents they make weighted sums and nothing else, so that latents may be mixtures (mixture.py) for them.
LINEAR_SAMPLERS = frozenset(SAMPLERS) - RANGE_SAMPLERS

__all__ = ["LINEAR_SAMPLERS", "RANGE_SAMPLERS", "SAMPLERS", "Noise", "Sampler", "StepDone", "ancestral_split"]
