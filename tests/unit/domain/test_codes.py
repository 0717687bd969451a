"""Codes that people type."""

from __future__ import annotations

import pytest

from hordenode.domain.codes import ALPHABET, CODE_BITS, plain, written


def test_a_code_is_sixteen_letters_in_groups_of_four_and_different_for_every_number() -> None:
    ends = [0, 1, 31, 32, 2**CODE_BITS - 1]
    codes = [written(bits) for bits in ends]
    assert codes[0] == "0000-0000-0000-0000" and codes[-1] == "ZZZZ-ZZZZ-ZZZZ-ZZZZ"
    assert codes[1:4] == ["0000-0000-0000-0001", "0000-0000-0000-000Z", "0000-0000-0000-0010"]
    assert not set("ILOU") & set(ALPHABET) and len(set(ALPHABET)) == 32


@pytest.mark.parametrize(
    "typed", ["7kq4-m2xd-10ta-hbv6", "7KQ4M2XD1OTAHBV6", " 7KQ4 M2XD IOTA HBV6\n", "7kq4-m2xd-lota-hbv6"]
)
def test_a_code_reads_the_same_however_it_is_typed(typed: str) -> None:
    assert plain(typed) == plain("7KQ4-M2XD-10TA-HBV6")
