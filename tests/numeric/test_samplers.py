"""Samplers and schedules against diffusers' schedulers, and against what is known in closed form."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from hordenode.engine.image.denoiser import PARTS, Latent, denoiser
from hordenode.engine.image.samplers import RANGE_SAMPLERS, SAMPLERS, Noise
from hordenode.engine.image.samplers.dpm_solver import LAST_STRIDES, MOST_TRIES
from hordenode.engine.image.schedule import Schedule, SchedulerConfig, karras_sigmas
from hordenode.engine.seeds import seeded

GOLDENS = Path(__file__).parent / "goldens"
SD1 = {"beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear"}
SHAPE = (1, 4, 32, 32)
STOCHASTIC = ("k_euler_a", "k_dpm_2_a", "k_dpmpp_2s_a", "k_dpmpp_sde", "lcm")


def schedule(**options: object) -> Schedule:
    return Schedule(SchedulerConfig(**(SD1 | options)))  # type: ignore[arg-type]


def model(x: Latent, t: float) -> Latent:
    """The stand-in for a UNet of make_sampler_goldens.py."""
    made: Latent = (0.5 * x + 0.3 * np.sin(3 * x + t / 200)).astype(np.float32)
    return made


def no_noise() -> Latent:
    raise AssertionError("this sampler takes no noise")


def draws(seed: int, shape: tuple[int, ...] = SHAPE) -> Noise:
    random = seeded(seed)
    return lambda: random.standard_normal(shape, np.float32)


PREDICTIONS: dict[str, tuple[str, dict[str, object]]] = {
    "epsilon": ("epsilon", {}),
    "v_prediction": ("v_prediction", {}),
    "zero_snr": ("v_prediction", {"rescale_betas_zero_snr": True}),
}


@pytest.mark.parametrize("levels", ["plain", "karras"])
@pytest.mark.parametrize("prediction", PREDICTIONS)
@pytest.mark.parametrize("name", SAMPLERS)
def test_a_sampler_walks_as_the_reference_does(name: str, prediction: str, levels: str) -> None:
    with np.load(GOLDENS / "samplers.npz") as goldens:
        sigmas, end = (goldens[f"{name}/{prediction}/{levels}/{part}"] for part in ("sigmas", "end"))
    kind, options = PREDICTIONS[prediction]
    noise = draws(2, end.shape) if name in STOCHASTIC else no_noise
    denoise = denoiser(PARTS[kind], model, schedule(**options))
    start = draws(1, end.shape)() * np.float32((sigmas[0] ** 2 + 1) ** 0.5)
    seen: list[int] = []
    made = SAMPLERS[name](denoise, start, sigmas, noise, seen.append)
    assert np.abs(made - end).max() < 1e-3 * np.abs(end).max()
    assert seen == sorted(seen) and seen[-1] == len(sigmas) - 1
    if name not in RANGE_SAMPLERS:
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


def test_zero_terminal_snr_is_that_of_the_reference() -> None:
    with np.load(GOLDENS / "schedules.npz") as goldens:
        expected = goldens["zero_snr/20"]
    made = schedule(timestep_spacing="trailing", rescale_betas_zero_snr=True).sigmas(20, karras=False)
    np.testing.assert_allclose(made, expected, rtol=1e-4)
    assert made[0] == pytest.approx(4096, rel=1e-4)


@pytest.mark.parametrize("steps", [1, 4, 8])
def test_consistency_models_visit_the_steps_of_the_reference(steps: int) -> None:
    with np.load(GOLDENS / "schedules.npz") as goldens:
        expected = goldens[f"lcm/{steps}"]
    levels = schedule(class_name="LCMScheduler")
    made = [levels.timestep(sigma) for sigma in levels.sigmas(steps, karras=False)[:-1]]
    np.testing.assert_allclose(made, expected, atol=1e-6)


def gaussian(spread: float) -> Callable[[Latent, float], Latent]:
    """The best denoiser of pictures whose pixels are normal with this spread."""
    return lambda x, sigma: np.float32(spread**2 / (spread**2 + sigma**2)) * x


@pytest.mark.parametrize(
    ("name", "steps", "error"),
    [
        ("k_euler", 400, 0.01),
        ("DDIM", 400, 0.01),
        ("k_lms", 100, 0.003),
        ("k_heun", 60, 0.003),
        ("k_dpm_2", 60, 0.003),
        ("k_dpmpp_2m", 60, 0.003),
        ("dpmsolver", 60, 0.003),
        ("k_dpm_fast", 60, 0.003),
        ("k_dpm_adaptive", 60, 0.05),  # its own relative tolerance
    ],
)
def test_a_sampler_follows_the_flow_of_a_gaussian(name: str, steps: int, error: float) -> None:
    """The exact flow scales every point by the ratio of the spreads."""
    sigmas, spread = karras_sigmas(steps, 0.01, 20.0), 0.7
    start = draws(3)() * np.float32(np.hypot(spread, sigmas[0]))
    made = SAMPLERS[name](gaussian(spread), start, sigmas, no_noise, lambda step: None)
    last = 0.01 if name in RANGE_SAMPLERS else 0.0  # where these end
    exact = start * (np.hypot(spread, last) / np.hypot(spread, sigmas[0]))
    assert np.abs(made - exact).max() < error * np.abs(exact).max()


def test_the_second_order_sampler_is_better_than_the_first_order_one() -> None:
    sigmas, spread = karras_sigmas(20, 0.01, 20.0), 0.7
    start = np.full((1, 1, 1, 1), np.hypot(spread, sigmas[0]), np.float32)
    errors = [
        abs(float(SAMPLERS[name](gaussian(spread), start, sigmas, no_noise, lambda step: None)[0, 0, 0, 0]) - spread)
        for name in ("k_euler", "k_dpmpp_2m")
    ]
    assert errors[1] < errors[0] / 3


@pytest.mark.parametrize("name", [name for name in STOCHASTIC if name != "lcm"])
def test_an_ancestral_sampler_keeps_the_spread_of_a_gaussian(name: str) -> None:
    sigmas, spread, noise = karras_sigmas(300, 0.01, 20.0), 0.7, draws(4)
    start = noise() * np.float32(np.hypot(spread, sigmas[0]))
    made = SAMPLERS[name](gaussian(spread), start, sigmas, noise, lambda step: None)
    assert abs(float(made.std()) - spread) < 0.03
    assert abs(np.corrcoef(made.ravel(), start.ravel())[0, 1]) < 0.1  # and forgets where it came from


def test_lcm_gives_what_a_perfect_consistency_model_knows() -> None:
    """Such a model sends every noisy point straight to its end; noise and next guess keep the spread."""
    sigmas, spread, noise = karras_sigmas(4, 0.03, 14.0), 0.7, draws(5)

    def consistent(x: Latent, sigma: float) -> Latent:
        return x * np.float32(spread / np.hypot(spread, sigma))

    start = noise() * np.float32(np.hypot(spread, sigmas[0]))
    made = SAMPLERS["lcm"](consistent, start, sigmas, noise, lambda step: None)
    assert abs(float(made.std()) - spread) < 0.02


def half(x: Latent, sigma: float) -> Latent:
    return x * np.float32(0.5)


@pytest.mark.parametrize("name", SAMPLERS)
def test_one_step_goes_straight_to_the_clean_latent(name: str) -> None:
    start = draws(6)()
    seen: list[int] = []
    made = SAMPLERS[name](half, start, np.array([3.0, 0.0]), no_noise, seen.append)
    np.testing.assert_allclose(made, start / 2, rtol=1e-6, atol=1e-7)
    assert seen == [1]


@pytest.mark.parametrize("name", SAMPLERS)
def test_what_progress_raises_ends_the_walk_at_once(name: str) -> None:
    looks: list[float] = []

    def look(x: Latent, sigma: float) -> Latent:
        looks.append(sigma)
        return half(x, sigma)

    def stop(step: int) -> None:
        raise KeyError("enough")

    with pytest.raises(KeyError, match="enough"):
        SAMPLERS[name](look, draws(7)(), karras_sigmas(20, 0.03, 14.0), draws(8), stop)
    assert len(looks) <= 3


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
    found = denoiser(PARTS[prediction], perfect, levels)(picture + np.float32(sigma) * noise, sigma)
    assert np.abs(found - picture).max() < 1e-5
    assert 0 < times[0] < 999


def test_a_noise_level_of_training_is_its_own_step() -> None:
    levels = schedule(timestep_spacing="trailing")
    steps = [levels.timestep(sigma) for sigma in levels.sigmas(10, karras=False)[:-1]]
    np.testing.assert_allclose(steps, np.arange(999, 0, -100), atol=1e-6)


def test_the_adaptive_sampler_ends_where_its_error_never_settles() -> None:
    """A denoiser that jumps with every look, as a hostile or broken model may."""
    looks = 0

    def jumping(x: Latent, sigma: float) -> Latent:
        nonlocal looks
        looks += 1
        return np.full_like(x, 1000.0 * (-1.0) ** looks)

    heard: list[int] = []
    start = np.full((1, 4, 8, 8), 14.0, np.float32)
    sigmas = karras_sigmas(20, 0.03, 14.6)
    made = SAMPLERS["k_dpm_adaptive"](jumping, start, sigmas, lambda: start, heard.append)
    assert np.isfinite(made).all() and looks <= 3 * (MOST_TRIES + LAST_STRIDES)
    assert heard[-1] == 20 and heard == sorted(heard)
