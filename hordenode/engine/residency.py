"""Which models stay in memory: loaded once, the least recently used given up when the budget is spent."""

from __future__ import annotations

import logging
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from hordenode.engine.jobs import EngineError

T = TypeVar("T")

log = logging.getLogger("hordenode.engine")


class OverBudget(EngineError):
    """A model needs more memory than the engine may use."""


@dataclass(frozen=True, slots=True)
class _Resident(Generic[T]):
    model: T
    size_mb: int
    pinned: bool


class Residency(Generic[T]):
    """Loaded models by name within `budget_mb`; 0 = no limit."""

    def __init__(self, budget_mb: int = 0) -> None:
        self._budget = budget_mb
        self._loaded: OrderedDict[str, _Resident[T]] = OrderedDict()

    @property
    def names(self) -> tuple[str, ...]:
        """What is loaded, least recently used first."""
        return tuple(self._loaded)

    def get(self, name: str, size_mb: int, load: Callable[[], T], *, pinned: bool = False) -> T:
        """The model called `name`, loading it if need be. Raises OverBudget and what `load` raises."""
        resident = self._loaded.get(name)
        if resident is None:
            self._make_room(name, size_mb)
            resident = self._loaded[name] = _Resident(load(), size_mb, pinned)
        self._loaded.move_to_end(name)
        return resident.model

    def clear(self) -> None:
        """Give up everything."""
        self._loaded.clear()

    def _make_room(self, name: str, size_mb: int) -> None:
        if not self._budget:
            return
        pinned = sum(resident.size_mb for resident in self._loaded.values() if resident.pinned)
        if pinned + size_mb > self._budget:
            beside = f" beside {pinned} MB of pinned models" if pinned else ""
            raise OverBudget(
                f"'{name}' needs about {size_mb} MB{beside}, but engine.memory_mb is {self._budget}: raise it, or set it "
                "to 0 for no limit."
            )
        for other, resident in list(self._loaded.items()):
            if sum(each.size_mb for each in self._loaded.values()) + size_mb <= self._budget:
                return
            if not resident.pinned:
                log.info("giving up '%s' (%d MB) to make room for '%s'", other, resident.size_mb, name)
                del self._loaded[other]
