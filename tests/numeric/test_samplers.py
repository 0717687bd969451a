"""Samplers and schedules against diffusers' schedulers, and against what is known in closed form."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from hordenode.engine.image.denoiser import DENOISERS, Latent
from hordenode.engine.image.samplers import SAMPLERS, Noise
from hordenode.engine.image.schedule import Schedule, SchedulerConfig, karras_sigmas
from hordenode.engine.seeds import seeded

GOLDENS = Path(__file__).parent / "goldens"
SD1 = {"beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear"}
SHAPE = (1, 4, 32, 32)


def schedule(**options: object) -> Schedule:
    return Schedule(SchedulerConfig(**(SD1 | options)))  # type: ignore[arg-type]


def model(x: Latent, t: float) -> Latent:
    """The stand-in for a UNet of make_sampler_goldens.py."""
    made: Latent = (0.5 * x + 0.3 * np.sin(3 * x + t / 200)).astype(np.float32)
    return made


def no_noise() -> Latent:
    raise AssertionError("this sampler takes no noise")


@pytest.mark.parametrize("prediction", ["epsilon", "v_prediction"])
@pytest.mark.parametrize("name", sorted(SAMPLERS))
def test_a_sampler_walks_as_the_reference_does(name: str, prediction: str) -> None:
    with np.load(GOLDENS / "samplers.npz") as goldens:
        sigmas, start, noises, end = (
            goldens[f"{name}/{prediction}/{part}"] for part in ("sigmas", "start", "noises", "end")
        )
    given = iter(noises.astype(np.float32))
    noise: Noise = (lambda: next(given)) if len(noises) else no_noise
    denoise = DENOISERS[prediction](model, schedule())
    seen: list[int] = []
    made = SAMPLERS[name](denoise, start.astype(np.float32), sigmas, noise, seen.append)
    assert np.abs(made - end).max() < 1e-3 * np.abs(end).max()
    assert seen == list(range(1, len(sigmas)))


@pytest.mark.parametrize("spacing", ["linspace", "leading", "trailing"])
@pytest.mark.parametrize("steps", [7, 20, 30])
def test_noise_levels_are_those_of_the_reference(spacing: str, steps: int) -> None:
    with np.load(GOLDENS / "schedules.npz") as goldens:
        expected = goldens[f"{spacing}/{steps}"]
    made = schedule(timestep_spacing=spacing, steps_offset=1).sigmas(steps, karras=False)
    np.testing.assert_allclose(made, expected, rtol=1e-4)


def test_karras_levels_are_those_of_the_reference() -> None:
    with np.load(GOLDENS / "schedules.npz") as goldens:
        np.testing.assert_allclose(karras_sigmas(20, 0.0292, 14.6146), goldens["karras/20"], rtol=1e-6)


def gaussian(spread: float) -> Callable[[Latent, float], Latent]:
    """The best denoiser of pictures whose pixels are normal with this spread."""
    return lambda x, sigma: np.float32(spread**2 / (spread**2 + sigma**2)) * x


@pytest.mark.parametrize(
    ("name", "steps", "error"), [("k_euler", 400, 0.01), ("DDIM", 400, 0.01), ("k_dpmpp_2m", 60, 0.003)]
)
def test_a_sampler_follows_the_flow_of_a_gaussian(name: str, steps: int, error: float) -> None:
    """The exact flow scales every point by the ratio of the spreads."""
    sigmas, spread = karras_sigmas(steps, 0.01, 20.0), 0.7
    start = seeded(3).standard_normal(SHAPE, np.float32) * np.float32(np.hypot(spread, sigmas[0]))
    made = SAMPLERS[name](gaussian(spread), start, sigmas, no_noise, lambda step: None)
    exact = start * (spread / np.hypot(spread, sigmas[0]))
    assert np.abs(made - exact).max() < error * np.abs(exact).max()


def test_the_second_order_sampler_is_better_than_the_first_order_one() -> None:
    sigmas, spread = karras_sigmas(20, 0.01, 20.0), 0.7
    start = np.full((1, 1, 1, 1), np.hypot(spread, sigmas[0]), np.float32)
    errors = [
        abs(float(SAMPLERS[name](gaussian(spread), start, sigmas, no_noise, lambda step: None)[0, 0, 0, 0]) - spread)
        for name in ("k_euler", "k_dpmpp_2m")
    ]
    assert errors[1] < errors[0] / 3


def test_the_ancestral_sampler_keeps_the_spread_of_a_gaussian() -> None:
    sigmas, spread, random = karras_sigmas(300, 0.01, 20.0), 0.7, seeded(4)
    start = random.standard_normal(SHAPE, np.float32) * np.float32(np.hypot(spread, sigmas[0]))
    made = SAMPLERS["k_euler_a"](
        gaussian(spread), start, sigmas, lambda: random.standard_normal(SHAPE, np.float32), lambda step: None
    )
    assert abs(float(made.std()) - spread) < 0.03
    assert abs(np.corrcoef(made.ravel(), start.ravel())[0, 1]) < 0.1  # and forgets where it came from


@pytest.mark.parametrize("prediction", ["epsilon", "v_prediction"])
def test_a_denoiser_finds_the_picture_under_known_noise(prediction: str) -> None:
    picture, noise = (seeded(n).standard_normal(SHAPE, np.float32) for n in (5, 6))
    sigma = 2.5
    signal, share = 1 / np.hypot(1, sigma), sigma / np.hypot(1, sigma)
    answer = noise if prediction == "epsilon" else np.float32(signal) * noise - np.float32(share) * picture
    times: list[float] = []

    def perfect(x: Latent, t: float) -> Latent:
        times.append(t)
        assert abs(float(x.std()) - 1) < 0.05  # the model sees unit variance at every level
        return answer

    levels = schedule()
    found = DENOISERS[prediction](perfect, levels)(picture + np.float32(sigma) * noise, sigma)
    assert np.abs(found - picture).max() < 1e-5
    assert 0 < times[0] < 999


def test_a_noise_level_of_training_is_its_own_step() -> None:
    levels = schedule(timestep_spacing="trailing")
    steps = [levels.timestep(sigma) for sigma in levels.sigmas(10, karras=False)[:-1]]
    np.testing.assert_allclose(steps, np.arange(999, 0, -100), atol=1e-6)
