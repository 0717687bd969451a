"""Counting what happens, in the text format of Prometheus (version 0.0.4).

A registry of our own: counting takes 0.1 us and an observation 0.2 (prometheus_client 0.5 and 1.2, each under a lock
that an event loop does not need), and it adds nothing to the start (that takes 90 ms).

Metrics are declared once, in ops/metric_names.py. Count on the event loop only.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Literal

SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
LONG_SECONDS = (0.1, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1200.0)
SIZES = (1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0)

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


@dataclass(frozen=True, slots=True)
class Family:
    """One metric: its name, what it says, and the names of its labels. bounds: a histogram's, ascending."""

    name: str
    kind: Literal["counter", "gauge", "histogram"]
    text: str
    labels: tuple[str, ...] = ()
    bounds: tuple[float, ...] = ()


class Counter:
    """Only grows."""

    __slots__ = ("value",)

    def __init__(self) -> None:
        self.value = 0.0

    def add(self, amount: float = 1.0) -> None:
        self.value += amount


class Histogram:
    """Counts observations by size."""

    __slots__ = ("bounds", "counts", "total")

    def __init__(self, bounds: tuple[float, ...]) -> None:
        self.bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.total = 0.0

    def observe(self, value: float) -> None:
        self.counts[bisect_left(self.bounds, value)] += 1
        self.total += value


@dataclass(frozen=True, slots=True)
class Sample:
    """A value read when it is asked for."""

    family: Family
    value: float
    labels: tuple[str, ...] = ()


Source = Callable[[], Iterable[Sample]]


class Metrics:
    """All that one node counts. Ask for a counter once and keep it."""

    def __init__(self) -> None:
        self._counters: dict[Family, dict[tuple[str, ...], Counter]] = {}
        self._histograms: dict[Family, dict[tuple[str, ...], Histogram]] = {}
        self._sources: list[Source] = []

    def counter(self, family: Family, *labels: str) -> Counter:
        """The counter of these label values, from now on shown."""
        children = self._counters.setdefault(family, {})
        if labels not in children:
            children[labels] = Counter()
        return children[labels]

    def histogram(self, family: Family, *labels: str) -> Histogram:
        """The histogram of these label values, from now on shown."""
        children = self._histograms.setdefault(family, {})
        if labels not in children:
            children[labels] = Histogram(family.bounds)
        return children[labels]

    def collect(self, source: Source) -> None:
        """Ask `source` for samples at each reading."""
        self._sources.append(source)

    def render(self, more: Iterable[Sample] = ()) -> str:
        """Everything as text, with these samples."""
        lines: dict[Family, list[str]] = {}
        for family, counters in self._counters.items():
            lines[family] = [_line(family.name, family.labels, key, one.value) for key, one in counters.items()]
        for family, histograms in self._histograms.items():
            lines[family] = [line for key, one in histograms.items() for line in _histogram(family, key, one)]
        for sample in (*more, *(sample for source in self._sources for sample in source())):
            line = _line(sample.family.name, sample.family.labels, sample.labels, sample.value)
            lines.setdefault(sample.family, []).append(line)
        return "".join(
            f"# HELP {family.name} {family.text}\n# TYPE {family.name} {family.kind}\n" + "".join(found)
            for family, found in lines.items()
        )


def _histogram(family: Family, key: tuple[str, ...], one: Histogram) -> Iterable[str]:
    names = (*family.labels, "le")
    below = 0
    for bound, count in zip((*family.bounds, float("inf")), one.counts, strict=True):
        below += count
        yield _line(f"{family.name}_bucket", names, (*key, _number(bound)), below)
    yield _line(f"{family.name}_sum", family.labels, key, one.total)
    yield _line(f"{family.name}_count", family.labels, key, below)


def _line(name: str, labels: tuple[str, ...], values: tuple[str, ...], value: float) -> str:
    pairs = ",".join(f'{label}="{_escape(text)}"' for label, text in zip(labels, values, strict=True))
    return f"{name}{{{pairs}}} {_number(value)}\n" if pairs else f"{name} {_number(value)}\n"


def _number(value: float) -> str:
    if value == float("inf"):
        return "+Inf"
    return str(int(value)) if value == int(value) else repr(float(value))


def _escape(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
