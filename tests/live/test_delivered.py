"""Sums of what was delivered lately: as if every delivery had been kept."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from hordenode.coordinator.delivered import HOUR_MS, MINUTE_MS, SECOND_MS, Delivered, Delivery
from hordenode.domain.entities import Kind

STEPS = st.lists(st.tuples(st.integers(0, 40 * MINUTE_MS), st.sampled_from("ab"), st.integers(1, 1000)), max_size=40)


@given(STEPS)
def test_sums_are_those_of_the_deliveries_within_the_window(steps: list[tuple[int, str, int]]) -> None:
    recent, now, kept = Delivered(), 1_000_000_000_000, list[Delivery]()
    for pause, model, things in steps:
        now += pause
        kept.append(Delivery(now, Kind.TEXT, model, things, things / 2))
        recent.add(kept[-1])
        minute = [d.things for d in kept if now - (d.at_ms - d.at_ms % SECOND_MS) <= MINUTE_MS]
        assert recent.things(Kind.TEXT, now) == sum(minute)
        for name in "ab":
            hour = [d.speed for d in kept if d.model == name and now - (d.at_ms - d.at_ms % MINUTE_MS) <= HOUR_MS]
            assert abs(recent.speed(Kind.TEXT, name, now) - (sum(hour) / len(hour) if hour else 0)) < 1e-6
    assert recent.things(Kind.IMAGE, now) == 0


def test_models_that_nobody_serves_any_more_are_forgotten() -> None:
    recent = Delivered()
    for number in range(100):
        recent.add(Delivery(number, Kind.IMAGE, f"model {number}", 5, 1.0))
    recent.forget(HOUR_MS)
    assert recent.speed(Kind.IMAGE, "model 99", HOUR_MS) == 1.0
    recent.forget(2 * HOUR_MS + MINUTE_MS)
    assert recent.speed(Kind.IMAGE, "model 99", 2 * HOUR_MS) == 0.0


def test_a_clock_set_back_loses_nothing() -> None:
    recent = Delivered()
    recent.add(Delivery(10 * HOUR_MS, Kind.TEXT, "a", 5, 1.0))
    recent.add(Delivery(9 * HOUR_MS, Kind.TEXT, "a", 7, 3.0))
    assert recent.things(Kind.TEXT, 9 * HOUR_MS) == 12
    assert recent.speed(Kind.TEXT, "a", 9 * HOUR_MS) == 2.0
