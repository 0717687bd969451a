"""When kudos are needed in advance, and what makes a request small enough to go without (contract 5)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from hordenode.domain import upfront
from hordenode.domain.baselines import Baselines
from hordenode.domain.spec import Audience, ImageSpec, Lora, TextSpec
from hordenode.domain.upfront import Load

BASELINES = Baselines({"large": "stable_diffusion_xl", "small": "stable diffusion 1"})
IDLE, BUSY, CROWDED = Load(0, 0), Load(300, 10), Load(10_000, 1)
SMALL = ImageSpec("a circle", Audience(models=("small",)))
TEXT = TextSpec("Once", Audience(models=("org/Model-7B",)))


@pytest.mark.parametrize(
    ("model", "load", "side"),
    [("small", IDLE, 1024), ("small", BUSY, 854), ("small", CROWDED, 576), ("large", CROWDED, 1024)],
)
def test_the_busier_the_smaller(model: str, load: Load, side: int) -> None:
    assert upfront.largest_side(replace(SMALL, audience=Audience(models=(model,))), load, BASELINES) == side


@pytest.mark.parametrize(("load", "tokens"), [(IDLE, 512), (Load(200, 10), 382), (CROWDED, 256)])
def test_the_busier_the_shorter(load: Load, tokens: int) -> None:
    assert upfront.longest_text(load) == tokens


@pytest.mark.parametrize(
    ("spec", "needed"),
    [
        (SMALL, False),
        (replace(SMALL, audience=replace(SMALL.audience, slow_workers=False)), True),
        (replace(SMALL, steps=40), False),
        (replace(SMALL, steps=41), True),
        (replace(SMALL, steps=21, sampler_name="k_heun"), True),
        (replace(SMALL, steps=20, sampler_name="k_heun"), False),
        (replace(SMALL, sampler_name="lcm", steps=10), False),
        (replace(SMALL, sampler_name="lcm", steps=11), True),
        (replace(SMALL, loras=(Lora("195519"),), steps=11), True),
        (replace(SMALL, loras=(Lora("246747", is_version=True),), steps=11), True),
        (replace(SMALL, loras=(Lora("246747"),), steps=11), False),
        (replace(SMALL, control_type="canny", steps=20), False),
        (replace(SMALL, control_type="canny", steps=21), True),
        (replace(SMALL, width=1024, height=1024), False),
        (replace(SMALL, width=1024, height=1088), True),
        (replace(TEXT, max_length=512), False),
        (replace(TEXT, max_length=513), True),
        (replace(TEXT, audience=Audience(slow_workers=False)), True),
    ],
)
def test_what_needs_kudos_in_advance(spec: ImageSpec | TextSpec, needed: bool) -> None:
    assert upfront.is_needed(spec, IDLE, BASELINES) is needed


def test_what_a_text_needs() -> None:
    assert upfront.text_amount(replace(TEXT, max_length=100, n=2), {}) == 66_660  # 33.33 each
    assert upfront.text_amount(replace(TEXT, audience=Audience(), n=3), {}) == 60_000
    two = Audience(models=("org/Model-7B", "big"))
    assert upfront.text_amount(replace(TEXT, audience=two, max_length=210), {"big": 70}) == 700_000
    assert upfront.text_amount(replace(TEXT, audience=Audience(models=("unknown",)), max_length=210), {}) == 10_000


@given(
    spec=st.builds(
        ImageSpec,
        prompt=st.just("x"),
        audience=st.builds(Audience, models=st.sampled_from([(), ("small",), ("large",)]), slow_workers=st.booleans()),
        width=st.integers(1, 48).map(lambda side: 64 * side),
        height=st.integers(1, 48).map(lambda side: 64 * side),
        steps=st.integers(1, 500),
        sampler_name=st.sampled_from(["k_euler", "k_heun", "lcm"]),
        control_type=st.sampled_from([None, "canny"]),
    ),
    load=st.builds(Load, st.integers(0, 10_000), st.integers(0, 100)),
)
def test_a_downgraded_picture_goes_without(spec: ImageSpec, load: Load) -> None:
    made = upfront.downgraded(spec, load, BASELINES)
    assert isinstance(made, ImageSpec)
    assert not upfront.is_needed(made, load, BASELINES)
    assert made.width % 64 == 0 and made.height % 64 == 0 and made.steps >= min(5, spec.steps)
    assert made.width <= spec.width and made.height <= spec.height and made.steps <= spec.steps


@given(st.integers(16, 4096), st.booleans(), st.builds(Load, st.integers(0, 10_000), st.integers(0, 100)))
def test_a_downgraded_text_goes_without(length: int, slow: bool, load: Load) -> None:
    spec = replace(TEXT, max_length=length, audience=replace(TEXT.audience, slow_workers=slow))
    made = upfront.downgraded(spec, load, BASELINES)
    assert isinstance(made, TextSpec) and made.max_length <= length
    assert not upfront.is_needed(made, load, BASELINES)
