"""Prompt filters: what they see, what they find, what they put in its place, and which patterns are refused."""

from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hordenode.domain.filters import MATCH_S, Filter, FilterSet, Suspicion, check_pattern, normalised


def made(*patterns: tuple[int, str], replacement: str = "") -> FilterSet:
    return FilterSet(
        Filter(id=str(number), regex=regex, filter_type=kind, user_id=1, replacement=replacement)
        for number, (kind, regex) in enumerate(patterns)
    )


@pytest.mark.parametrize(
    ("prompt", "seen"),
    [
        ("a  cat\n\tand a dog", "a cat and a dog"),
        ("a (cat:1.3) and (a dog:0.75)", "a cat and a dog"),
        ("c-a-t, d.o.g!", "catdog"),
        ("a c a t", "acat"),
        ("crème brûlée", "creme brulee"),
        ("cat_dog", "cat dog"),
        ("", ""),
    ],
)
def test_filters_see_a_prompt_without_what_hides_words(prompt: str, seen: str) -> None:
    assert normalised(prompt) == seen


@given(st.text(max_size=300))
@settings(max_examples=300, deadline=None)
def test_any_text_can_be_normalised_and_judged(prompt: str) -> None:
    filters = made((10, "cat"), (20, "dog"), replacement="bird")
    assert filters.suspicion(prompt).level in (0, 1, 2)
    assert filters.replaced("x" + prompt) is not None
    assert "  " not in normalised(prompt)


def test_suspicion_counts_groups_not_filters() -> None:
    filters = made((10, "cat"), (11, "kitten"), (20, "dog"), (15, "bird"))
    assert filters.suspicion("a house") == Suspicion(0, ())
    assert filters.suspicion("a CAT, a kitten and a bird") == Suspicion(1, ("CAT", "kitten", "bird"))
    assert filters.suspicion("a cat and a dog") == Suspicion(2, ("cat", "dog"))
    assert filters.suspicion("a house###a cat and a dog").level == 0
    assert filters.suspicion("a cat and a dog", filter_type=20) == Suspicion(1, ("dog",))


def test_only_matches_of_type_10_in_the_positive_prompt_are_replaced() -> None:
    filters = made((10, "c[ao]t"), (20, "dog"), replacement=r"b\1rd")
    assert filters.replaced("a Cat, a cot, a dog###cat") == r"a b\1rd, a b\1rd, a dog###cat"


def test_nothing_is_left_of_a_prompt_that_is_all_matches() -> None:
    assert made((10, "cat")).replaced(" cat cat ###a dog") is None


def test_a_set_without_filters_is_false() -> None:
    assert not FilterSet()
    assert made((10, "cat"))


@pytest.mark.parametrize("pattern", [r"(a+)+$", r"(a|aa)+$", r"([a-z]+)*\d", r"(x+x+)+y", r"(cat|catcat)+$"])
def test_catastrophic_patterns_are_refused(pattern: str) -> None:
    with pytest.raises(ValueError, match="takes too long"):
        check_pattern(pattern)


@pytest.mark.parametrize(
    ("pattern", "reason"),
    [
        ("(", "not a regular expression"),
        ("", "matches the empty text"),
        ("cat|", "matches the empty text"),
        ("(?=.)", "matches the empty text"),
        ("a" * 10_001, "longer than"),
        ("(" * 5000 + ")" * 5000, "not a regular expression"),
    ],
)
def test_patterns_that_are_none_or_match_everything_are_refused(pattern: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        check_pattern(pattern)


@pytest.mark.parametrize("pattern", [r"\bcats?\b", r"cat.{0,30}dog", r"(?<!no )cat", r"c[aä]t|d(?:o|0)g", r"\w+ing\b"])
def test_honest_patterns_are_accepted(pattern: str) -> None:
    check_pattern(pattern)


def test_a_match_that_takes_too_long_is_stopped_and_counts() -> None:
    filters = made((10, r"(a+)+\d$"), (20, "b"))
    prompt = "a" * 5000 + " 1 b"
    began = time.perf_counter()
    assert filters.suspicion(prompt) == Suspicion(2, ("b",))
    assert filters.replaced(prompt) is None
    assert time.perf_counter() - began < 100 * MATCH_S  # without the limit it would take years
