"""Prices, rewards and charges against numbers worked out by hand from the contract's formulas (10.1 to 10.5, 3.4)."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from hordenode.domain import kudos
from hordenode.domain.baselines import CASCADE, FLUX, QWEN, SD1, SDXL, Z_IMAGE
from hordenode.domain.entities import User
from hordenode.domain.priority import extra_priority
from hordenode.domain.spec import Audience, ImageSpec, Lora, SourceImage, TextSpec, TextualInversion

ANY = Audience(("model one",))
SQUARE = ImageSpec("p", ANY, width=512, height=512, steps=30)
SOURCE = SourceImage(blob="x")
TEXT = TextSpec("short", ANY, max_length=100, max_context_length=2048)


@pytest.mark.parametrize(
    ("change", "price"),
    [
        ({}, 6_500),  # 3.696 for the steps, 2.7999 for the size
        ({"width": 1024, "height": 1024, "steps": 50}, 60_060),  # q = 1: 50 * 0.1232 * 9.75
        ({"width": 64, "height": 64, "steps": 10}, 1_230),  # q = 0
        ({"width": 768, "height": 512, "steps": 20}, 6_290),
        ({"sampler_name": "k_heun"}, 6_500),  # requested steps, not doubled
        ({"post_processing": ("GFPGAN",)}, 7_800),
        ({"post_processing": ("GFPGAN", "RealESRGAN_x4plus")}, 9_360),
        ({"source_image": SOURCE, "control_type": "canny"}, 19_500),
        ({"source_image": SOURCE, "control_type": "canny", "return_control_map": True}, 6_500),
        ({"loras": (Lora("a"), Lora("b"))}, 12_500),
        ({"tis": (TextualInversion("a"), TextualInversion("b"))}, 7_500),
    ],
)
def test_the_price_of_an_image(change: dict[str, Any], price: int) -> None:
    assert kudos.image_price(replace(SQUARE, **change)) == price


@pytest.mark.parametrize(
    ("baseline", "change", "factor"),
    [
        (SD1, {}, 1),
        (SDXL, {}, 2),
        (SDXL, {"workflow": "qr_code"}, 4),
        (CASCADE, {}, 4),
        (CASCADE, {"hires_fix": True}, 7),
        (FLUX, {}, 8),
        (Z_IMAGE, {}, 8),
        (QWEN, {}, 12),
    ],
)
def test_what_heavier_families_pay(baseline: str, change: dict[str, Any], factor: int) -> None:
    assert kudos.image_reward(replace(SQUARE, **change), baseline) == 6_500 * factor


@pytest.mark.parametrize(
    ("change", "audience", "censored", "charge"),
    [
        ({}, {}, False, 11_000),
        ({}, {}, True, 1_000),
        ({"source_image": SOURCE}, {}, False, 14_000),
        ({"post_processing": ("NMKD_Siax",)}, {}, False, 11_500),
        ({"post_processing": ("GFPGAN",)}, {}, False, 11_000),
        ({}, {"slow_workers": False}, False, 13_200),
        ({}, {"worker_blacklist": True}, False, 12_100),
        ({"source_image": SOURCE}, {"slow_workers": False, "worker_blacklist": True}, False, 18_480),
        ({}, {"slow_workers": False}, True, 1_200),
    ],
)
def test_what_an_image_that_paid_10_costs(
    change: dict[str, Any], audience: dict[str, Any], censored: bool, charge: int
) -> None:
    spec = replace(SQUARE, audience=replace(ANY, **audience), **change)
    assert kudos.image_charge(spec, 10_000, censored=censored) == charge


def test_the_tax_and_the_dry_run_of_an_image() -> None:
    assert kudos.activation_charge(SQUARE) == 1_000
    assert kudos.activation_charge(SQUARE, styled=True) == 3_000
    assert kudos.activation_charge(TEXT, styled=True) == 3_000
    assert kudos.dry_run_image(replace(SQUARE, n=3), SD1) == 7_500 * 3 + 1_000
    assert kudos.dry_run_image(replace(SQUARE, n=3), SDXL) == 7_500 * 3 * 2 + 1_000


@pytest.mark.parametrize(
    ("text", "most", "tokens"), [("", 100, 20), ("x" * 81, 100, 21), ("x" * 4000, 100, 100), ("", 16, 16)]
)
def test_four_characters_are_a_token(text: str, most: int, tokens: int) -> None:
    assert kudos.counted_tokens(text, most) == tokens


@pytest.mark.parametrize(
    ("size", "validated", "trusted", "reward"),
    [
        (7.0, True, True, 6_780),  # 100 * 1 * 7 / 125 * 1.21137
        (7.0, False, True, 2_040),
        (70.0, True, False, 94_990),  # the bonus is (70 / 13) ** 0.2 = 1.4003
        (None, True, True, 3_271),  # unknown: not rounded to hundredths
        (None, True, False, 1_211),
    ],
)
def test_the_reward_of_a_text_of_100_tokens(size: float | None, validated: bool, trusted: bool, reward: int) -> None:
    assert kudos.text_reward(TEXT, "x" * 400, size, owner_trusted=trusted, validated=validated) == reward
    assert kudos.text_charge(reward) == reward + 1_000 and kudos.text_charge(reward, censored=True) == 1_000


@pytest.mark.parametrize(
    ("size", "models", "price"),
    [(7.0, ("a",), 23_800), (None, (), 44_200), (None, ("a",), 9_180)],  # 100 * 7 * 3.4 / 100 and so on
)
def test_the_price_of_a_text(size: float | None, models: tuple[str, ...], price: int) -> None:
    assert kudos.text_price(replace(TEXT, audience=Audience(models)), size) == price


def test_context_counts_between_a_tenth_and_thirty() -> None:
    factors = [round(kudos.context_factor(tokens), 3) for tokens in (20, 1024, 2048, 1_048_576)]
    assert factors == [1.211, 2.2, 3.4, 30.0]


def user(**roles: Any) -> User:
    return User(id=5, name="somebody", created_ms=0, active_ms=0, **roles)


def test_the_floors_of_balances() -> None:
    assert [kudos.floor_of(who) for who in (user(), user(pseudonymous=True), replace(user(), id=0))] == [
        25_000,
        14_000,
        -50_000,
    ]


@pytest.mark.parametrize(
    ("who", "balance", "priority"),
    [
        (user(), 1_234_567, 1234),
        (user(), 0, 25),
        (user(flagged=True), 10_000, -100),
        (user(flagged=True), 2_600_000, 3),
        (user(flagged=True), 50_000, 0),
    ],
)
def test_the_priority_at_activation(who: User, balance: int, priority: int) -> None:
    assert extra_priority(who, balance) == priority
