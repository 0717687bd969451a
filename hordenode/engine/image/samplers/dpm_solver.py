"""DPM-Solver (Lu et al. 2022a) in steps of its own choice: "fast" by a fixed number of looks, "adaptive" by error.

Time is λ = −ln σ; ε = (x − x0) / σ. Both end at the lowest level above 0.
"""

from __future__ import annotations

from collections.abc import Callable
from math import atan, exp, expm1, log

import numpy as np
from numpy.typing import NDArray

from hordenode.engine.image.denoiser import Denoise, Latent
from hordenode.engine.image.samplers.walk import Noise, StepDone
from hordenode.engine.image.schedule import Levels

# The error estimate is a small difference of large numbers, above all at the sigmas of zero terminal SNR.
Precise = NDArray[np.float64]
_Epsilon = Callable[[Precise, float], Precise]

# The settings that k-diffusion's users know.
FIRST_STRIDE, RELATIVE, ABSOLUTE, SAFETY = 0.05, 0.05, 0.0078, 0.81
# A prompt on which the error never settles must not hold a worker for ever: after so many tries, the rest in even strides.
MOST_TRIES, LAST_STRIDES = 64, 16


def dpm_fast(denoise: Denoise, x: Latent, sigmas: Levels, noise: Noise, progress: StepDone) -> Latent:
    """DPM-Solver-fast: third-order steps, and lower ones for the looks that are left (section 3.3)."""
    looks = len(sigmas) - 1
    if looks == 1:
        return _one_look(denoise, x, sigmas, progress)
    epsilon = _epsilon(denoise)
    whole, rest = divmod(looks, 3)
    orders = [3] * (whole - 1) + [2, 1] if rest == 0 else [3] * whole + [rest]
    times = np.linspace(-log(sigmas[0]), -log(sigmas[-2]), len(orders) + 1).tolist()
    done, y = 0, x.astype(np.float64)
    for order, t, after in zip(orders, times, times[1:], strict=False):
        y = _STEPS[order - 1](epsilon, y, t, after, epsilon(y, t))
        done += order
        progress(done)
    return y.astype(np.float32)


def dpm_adaptive(denoise: Denoise, x: Latent, sigmas: Levels, noise: Noise, progress: StepDone) -> Latent:
    """DPM-Solver-23: the second order inside the third tells the error, the error the next stride (appendix C).

    How many steps it takes is not known before: progress is the part of λ that is behind. At most
    3 · (MOST_TRIES + LAST_STRIDES) looks.
    """
    if len(sigmas) == 2:
        return _one_look(denoise, x, sigmas, progress)
    epsilon = _epsilon(denoise)
    start, end, total = -log(sigmas[0]), -log(sigmas[-2]), len(sigmas) - 1
    t, stride, tries = start, FIRST_STRIDE, 0
    y = before = x.astype(np.float64)
    while t < end - 1e-5:
        tries += 1
        patient = tries <= MOST_TRIES
        if tries == MOST_TRIES + 1:
            stride = (end - t) / LAST_STRIDES
        after = min(end, t + stride)
        low, high = _second_in_third(epsilon, y, t, after)
        factor = _growth(low, high, before)
        if patient:
            stride *= factor
        if factor >= SAFETY or not patient:
            y, before, t = high, low, after
        progress(int(total * (t - start) / (end - start)))
    progress(total)
    return y.astype(np.float32)


def _growth(low: Precise, high: Precise, before: Precise) -> float:
    """By how much the next stride may be longer, or must be shorter, for this difference of the two orders."""
    delta = np.maximum(ABSOLUTE, RELATIVE * np.maximum(np.abs(low), np.abs(before)))
    error = float(np.sqrt(np.mean(np.square((low - high) / delta))))
    return 1 + atan((1 / (error + 1e-8)) ** (1 / 3) - 1)


def _one_look(denoise: Denoise, x: Latent, sigmas: Levels, progress: StepDone) -> Latent:
    """Between a level and itself there is no way to walk."""
    clean = denoise(x, float(sigmas[0]))
    progress(1)
    return clean


def _epsilon(denoise: Denoise) -> _Epsilon:
    def epsilon(x: Precise, t: float) -> Precise:
        made: Precise = (x - denoise(x.astype(np.float32), exp(-t))) / exp(-t)
        return made

    return epsilon


def _first(epsilon: _Epsilon, x: Precise, t: float, after: float, here: Precise) -> Precise:
    return x - exp(-after) * expm1(after - t) * here


def _second(epsilon: _Epsilon, x: Precise, t: float, after: float, here: Precise) -> Precise:
    return _second_from(x, t, after, here, _look(epsilon, x, t, after, here, 1 / 2), 1 / 2)


def _third(epsilon: _Epsilon, x: Precise, t: float, after: float, here: Precise) -> Precise:
    return _third_from(epsilon, x, t, after, here, _look(epsilon, x, t, after, here, 1 / 3))


_STEPS = (_first, _second, _third)


def _second_in_third(epsilon: _Epsilon, x: Precise, t: float, after: float) -> tuple[Precise, Precise]:
    """Both orders from the same looks."""
    here = epsilon(x, t)
    third_way = _look(epsilon, x, t, after, here, 1 / 3)
    low = _second_from(x, t, after, here, third_way, 1 / 3)
    return low, _third_from(epsilon, x, t, after, here, third_way)


def _look(epsilon: _Epsilon, x: Precise, t: float, after: float, here: Precise, part: float) -> Precise:
    """ε after this part of the step."""
    at = t + part * (after - t)
    return epsilon(_first(epsilon, x, t, at, here), at)


def _second_from(x: Precise, t: float, after: float, here: Precise, there: Precise, part: float) -> Precise:
    grown = exp(-after) * expm1(after - t)
    return x - grown * here - grown / (2 * part) * (there - here)


def _third_from(epsilon: _Epsilon, x: Precise, t: float, after: float, here: Precise, third_way: Precise) -> Precise:
    at, stride, part = t + 2 / 3 * (after - t), after - t, 2 / 3 * (after - t)
    bend = exp(-at) * 2 * (expm1(part) / part - 1)
    guess = x - exp(-at) * expm1(part) * here - bend * (third_way - here)
    two_thirds = epsilon(guess, at)
    bend = exp(-after) * 1.5 * (expm1(stride) / stride - 1)
    return x - exp(-after) * expm1(stride) * here - bend * (two_thirds - here)
