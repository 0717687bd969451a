"""What workers earn by being there (contract 10.7), and that the receipt says the same."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hordenode.domain import kudos, receipts
from tests.unit.domain.test_receipts import computed


@pytest.mark.parametrize(("models", "lora", "expected"), [(0, False, 50), (3, False, 56), (3, True, 86)])
def test_image_workers(models: int, lora: bool, expected: float) -> None:
    assert kudos.image_uptime(models, lora=lora) == expected * 1000
    assert computed(receipts.image_uptime(models, lora=lora)) == expected * 1000


@pytest.mark.parametrize(
    ("context", "size", "validated", "expected"),
    [
        (2048, 7, True, 55.0),
        (2048, 7, False, 16.5),
        (4096, 70, True, 850.0),
        (4096, 0.5, True, 21.25),  # no model counts as smaller than a quarter of 7B
        (2048, None, True, 27.5),
        (10**6, 7, True, 3865.0),  # no context counts as longer than 262144
    ],
)
def test_text_workers(context: int, size: float | None, validated: bool, expected: float) -> None:
    assert kudos.text_uptime(context, size, validated=validated) == expected * 1000


@given(st.integers(80, 2**20), st.sampled_from([None, 0.1, 3, 8, 405]), st.booleans())
def test_receipts_of_text_workers(context: int, size: float | None, validated: bool) -> None:
    amount = kudos.text_uptime(context, size, validated=validated)
    assert abs(computed(receipts.text_uptime(context, size, validated=validated)) - amount) <= max(6, amount * 0.001)
