"""A receipt is no story: computed again, its arithmetic gives the amount."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from hordenode.domain import kudos, receipts
from hordenode.domain.baselines import CASCADE, FLUX, QWEN, SD1, SDXL, Z_IMAGE
from hordenode.domain.spec import Audience, ExtraText, ImageSpec, SourceImage, Spec, TextSpec

MILLI = 1.5  # thousandths: both sides are rounded

audiences = st.builds(Audience, slow_workers=st.booleans(), worker_blacklist=st.booleans())
pictures = st.builds(
    ImageSpec,
    prompt=st.just("a circle"),
    audience=audiences,
    steps=st.integers(1, 500),
    width=st.integers(1, 48).map(lambda side: 64 * side),
    height=st.integers(1, 48).map(lambda side: 64 * side),
    control_type=st.sampled_from([None, "canny"]),
    post_processing=st.lists(st.sampled_from(["GFPGAN", "NMKD_Siax", "4xLSDIRplus"]), unique=True).map(tuple),
    workflow=st.sampled_from([None, "qr_code"]),
    hires_fix=st.booleans(),
    extra_texts=st.just((ExtraText("x", "qr_code"),)),
    source_image=st.sampled_from([None, SourceImage(blob="x")]),
    extra_source_images=st.sampled_from([(), (SourceImage(blob="x"),), (SourceImage(blob="x"),) * 5]),
)
texts = st.builds(
    TextSpec, prompt=st.text(max_size=300), audience=audiences, max_length=st.integers(16, 4096), n=st.integers(1, 20)
)


def computed(receipt: str) -> float:
    """The arithmetic of a receipt in thousandths."""
    line = re.sub(r"\((?=[A-Za-z])[^)]*\)|\(\d+B[^)]*\)", "", receipt.rpartition(": ")[2])
    assert re.fullmatch(r"[0-9.+*/() ]+", line), receipt
    return float(eval(line)) * 1000


@given(spec=pictures, baseline=st.sampled_from([SD1, SDXL, CASCADE, FLUX, Z_IMAGE, QWEN]), censored=st.booleans())
def test_receipts_of_pictures(spec: ImageSpec, baseline: str, censored: bool) -> None:
    reward = kudos.image_reward(spec, baseline)
    assert abs(computed(receipts.image_reward(spec, baseline)) - reward) <= MILLI * 12
    charge = kudos.image_charge(spec, reward, censored=censored)
    assert abs(computed(receipts.image_charge(spec, reward, censored=censored)) - charge) <= MILLI


@given(
    spec=texts,
    result=st.text(max_size=3000),
    size=st.sampled_from([None, 0.5, 7, 13, 70]),
    trusted=st.booleans(),
    validated=st.booleans(),
)
def test_receipts_of_texts(spec: TextSpec, result: str, size: float | None, trusted: bool, validated: bool) -> None:
    reward = kudos.text_reward(spec, result, size, owner_trusted=trusted, validated=validated)
    receipt = receipts.text_reward(spec, result, size, owner_trusted=trusted, validated=validated)
    assert abs(computed(receipt) - reward) <= max(6, reward * 0.001)  # the contract rounds to hundredths
    for censored in (False, True):
        charge = kudos.text_charge(reward, censored=censored)
        assert abs(computed(receipts.text_charge(reward, censored=censored)) - charge) <= MILLI


@given(spec=pictures | texts, styled=st.booleans())
def test_receipts_of_the_tax(spec: Spec, styled: bool) -> None:
    charge = kudos.activation_charge(spec, styled=styled)
    assert computed(receipts.activation(spec, styled=styled)) == charge
