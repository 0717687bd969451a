"""Linear multistep: the slopes of the last steps, extrapolated by a polynomial (Adams-Bashforth on uneven levels)."""

from __future__ import annotations

import numpy as np
from numpy.polynomial import Polynomial

from hordenode.engine.image.denoiser import Denoise, Latent
from hordenode.engine.image.samplers.walk import Noise, StepDone, slope, steps
from hordenode.engine.image.schedule import Levels


def lms(denoise: Denoise, x: Latent, sigmas: Levels, noise: Noise, progress: StepDone, *, order: int = 4) -> Latent:
    """Hairer, Nørsett & Wanner, Solving ODEs I, section III.5."""
    slopes: list[Latent] = []
    for i, (sigma, after) in enumerate(steps(sigmas)):
        slopes = [slope(x, denoise(x, sigma), sigma), *slopes[: order - 1]]
        levels = sigmas[i - len(slopes) + 1 : i + 1][::-1]
        for weight, each in zip(_weights(levels, sigma, after), slopes, strict=True):
            x = x + each * np.float32(weight)
        progress(i + 1)
    return x


def _weights(levels: Levels, sigma: float, after: float) -> list[float]:
    """The integral from sigma to after of each of Lagrange's polynomials on `levels`."""
    found = []
    for j, own in enumerate(levels):
        basis = Polynomial([1.0])
        for k, other in enumerate(levels):
            if k != j:
                basis *= Polynomial([-(other - sigma), 1.0]) / (own - other)  # around sigma, where levels are close
        area = basis.integ()
        found.append(float(area(after - sigma) - area(0.0)))
    return found
