"""Latents that stay on the device for a whole walk, under the arithmetic that samplers are written in.

All that most samplers do with latents is to add them up with numbers as weights. So a `Mixture` only notes such a sum;
one small graph computes it there when a denoiser needs its value. Only fresh noise goes to the device, and only the last
latent comes back.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from hordenode.engine.image import small_graphs
from hordenode.engine.image.denoiser import Latent
from hordenode.engine.runtime import Binding, Runtime, Session
from hordenode.engine.tensors import Array, Placed


class Workbench:
    """The small graphs that a device computes with, each opened when it is first needed.

    `area`: of all latents that lie on it at a time; a single one may be larger.
    """

    def __init__(self, runtime: Runtime, area: int = 0) -> None:
        self._runtime = runtime
        self.area = area
        self._opened: dict[tuple[object, ...], tuple[Session, Binding]] = {}

    def place(self, latent: Array) -> Placed:
        """A latent, brought to the device."""
        return self._graph("sum", 1)[0].place(np.asarray(latent, np.float32))

    def mix(self, terms: Mapping[Placed, float]) -> Placed:
        """The weighted sum."""
        return self._run(("sum", len(terms)), list(terms), tuple(terms.values()))

    def blend(self, mask: Placed, inside: Placed, outside: Placed) -> Placed:
        """`inside` where the mask is 1, `outside` where it is 0."""
        return self._run(("blend",), [inside, outside, mask], ())

    def prepare(self, x: Placed, scale: float, copies: int, beside: Placed | None, dtype: str) -> Placed:
        """What a UNet takes: see small_graphs.prepared."""
        given = [x] if beside is None else [x, beside]
        return self._run(("prepare", copies, beside is not None, dtype), given, (scale,))

    def guide(self, x: Placed, predictions: list[Placed], weights: tuple[float, ...], dtype: str) -> Placed:
        """weights[0] · x and the sides of predictions with the other weights."""
        sides = tuple(each.shape[0] // x.shape[0] for each in predictions)
        return self._run(("guide", sides, dtype), [x, *predictions], weights)

    def _run(self, key: tuple[object, ...], given: list[Placed], weights: tuple[float, ...]) -> Placed:
        feeds: dict[str, Array | Placed] = {f"x{index}": value for index, value in enumerate(given)}
        if weights:
            feeds["weights"] = np.array(weights, np.float32)
        return self._graph(*key)[1].run_there(feeds)

    def _graph(self, *key: object) -> tuple[Session, Binding]:
        if key not in self._opened:
            session = self._runtime.small(_MAKERS[str(key[0])](*key[1:]), f"the {key[0]} of latents")
            self._opened[key] = session, session.bind("made")
        return self._opened[key]


_MAKERS: dict[str, Callable[..., bytes]] = {
    "sum": small_graphs.weighted_sum,
    "blend": small_graphs.blended,
    "prepare": small_graphs.prepared,
    "guide": small_graphs.guided,
}


class Mixture:
    """A weighted sum of latents on the device. It answers to +, −, and to × and ÷ by numbers; arrays go there first."""

    __array_ufunc__ = None  # numpy's numbers and arrays leave the arithmetic to this class
    __slots__ = ("_bench", "_terms")

    def __init__(self, bench: Workbench, terms: Mapping[Placed, float]) -> None:
        self._bench = bench
        self._terms = dict(terms)

    @classmethod
    def of(cls, bench: Workbench, latent: Latent) -> Mixture:
        """An array, brought to the device."""
        return cls(bench, {bench.place(latent): 1.0})

    def value(self) -> Placed:
        """Compute it, unless that was done: later sums start from what it is now."""
        if len(self._terms) != 1 or next(iter(self._terms.values())) != 1.0:
            self._terms = {self._bench.mix(self._terms): 1.0}
        return next(iter(self._terms))

    def numpy(self) -> Latent:
        """The value in main memory."""
        return self.value().numpy()

    def __add__(self, other: Mixture | Latent) -> Mixture:
        terms = dict(self._terms)
        for each, weight in self._beside(other)._terms.items():
            terms[each] = terms.get(each, 0.0) + weight
        return Mixture(self._bench, terms)

    __radd__ = __add__

    def __sub__(self, other: Mixture | Latent) -> Mixture:
        return self + self._beside(other) * -1.0

    def __rsub__(self, other: Latent) -> Mixture:
        return self * -1.0 + other

    def __mul__(self, number: float) -> Mixture:
        return Mixture(self._bench, {each: weight * float(number) for each, weight in self._terms.items()})

    __rmul__ = __mul__

    def __truediv__(self, number: float) -> Mixture:
        return self * (1.0 / float(number))

    def _beside(self, other: Mixture | Latent) -> Mixture:
        return other if isinstance(other, Mixture) else Mixture.of(self._bench, other)
