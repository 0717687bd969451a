"""What a worker cannot have done so quickly (contract 11)."""

from __future__ import annotations

import pytest

from hordenode.domain.conduct import most_aborted, too_fast
from hordenode.domain.entities import Kind


@pytest.mark.parametrize(
    ("kind", "model", "speed"),
    [
        (Kind.IMAGE, "any", 20_000_000),
        (Kind.TEXT, "unknown", 150),
        (Kind.TEXT, "owner/Model-3B", 150),
        (Kind.TEXT, "owner/Model-8B", 150),
        (Kind.TEXT, "owner/Model-14B", 100),
        (Kind.TEXT, "owner/Model-70B", 30),
        (Kind.TEXT, "owner/Mix-8x7B", 300),
    ],
)
def test_the_limit_itself_is_believed_and_more_is_not(kind: Kind, model: str, speed: float) -> None:
    assert not too_fast(kind, model, speed)
    assert too_fast(kind, model, speed * 1.01)


def test_forms_are_measured_in_seconds_and_never_too_fast() -> None:
    assert not too_fast(Kind.ALCHEMY, "", 1e9)
    assert (most_aborted(Kind.ALCHEMY), most_aborted(Kind.TEXT)) == (100, 20)
