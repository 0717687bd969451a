"""The X-Fields mask: its grammar and its effect."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hordenode.api.fields import MAX_LENGTH, Mask, apply_mask, parse_mask
from hordenode.protocol.errors import PlainError

VALUE = {"a": 1, "b": {"c": 2, "d": 3}, "e": [{"c": 4, "d": 5}, {"c": 6}], "n": None, "post-processing": True}


@pytest.mark.parametrize(
    ("mask", "kept"),
    [
        ("a", {"a": 1}),
        ("{a,n}", {"a": 1, "n": None}),
        (" { a , n } ", {"a": 1, "n": None}),
        ("b{c}", {"b": {"c": 2}}),
        ("b{c},a", {"a": 1, "b": {"c": 2}}),
        ("{b{c}}", {"b": {"c": 2}}),
        ("e{c}", {"e": [{"c": 4}, {"c": 6}]}),
        ("b", {"b": {"c": 2, "d": 3}}),
        ("post-processing,unknown", {"post-processing": True}),
        ("*", VALUE),
        ("*,b{c}", {**VALUE, "b": {"c": 2}}),
        ("n{x}", {"n": None}),
        ("unknown", {}),
    ],
)
def test_a_mask_keeps_what_it_names(mask: str, kept: dict[str, Any]) -> None:
    assert apply_mask(parse_mask(mask), VALUE) == kept


def test_a_mask_works_on_each_element_of_a_list() -> None:
    assert apply_mask(parse_mask("a"), [VALUE, {}]) == [{"a": 1}, {}]


@pytest.mark.parametrize(
    "mask", ["{", "}", "{}", "a{", "a{}", "a}", "a,", ",a", "a,,b", "{a", "a{b}c", "{a}b", "{a},b{c}"]
)
def test_a_malformed_mask_is_a_400(mask: str) -> None:
    with pytest.raises(PlainError) as caught:
        parse_mask(mask)
    assert (caught.value.status, caught.value.rc) == (400, None)


def test_absurd_masks_are_refused() -> None:
    for mask in ("a" * (MAX_LENGTH + 1), "a{" * 100 + "b" + "}" * 100):
        with pytest.raises(PlainError):
            parse_mask(mask)


def test_members_of_a_scalar_cannot_be_named() -> None:
    with pytest.raises(PlainError, match="members of a field that has none"):
        apply_mask(parse_mask("a{x}"), VALUE)


names = st.text("abcdefgh_-0", min_size=1, max_size=4)
masks = st.recursive(
    st.dictionaries(names, st.none(), min_size=1, max_size=3),
    lambda inner: st.dictionaries(names, st.none() | inner, min_size=1, max_size=3),
    max_leaves=10,
)


def written(mask: Mask) -> str:
    return ",".join(name if inner is None else f"{name}{{{written(inner)}}}" for name, inner in mask.items())


@given(masks)
def test_what_is_written_is_parsed_back(mask: Mask) -> None:
    assert parse_mask(written(mask)) == mask
    assert parse_mask("{" + written(mask) + "}") == mask


@given(st.text("ab{},* ", max_size=30))
def test_any_text_is_a_mask_or_refused(text: str) -> None:
    try:
        mask = parse_mask(text)
    except PlainError:
        return
    assert mask
