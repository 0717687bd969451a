"""Which models stay in memory: loaded once, the least recently used given up when the budget is spent."""

from __future__ import annotations

import logging
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from hordenode.engine.jobs import EngineError
from hordenode.engine.memory import available_mb, give_back

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
    """Loaded models by name within `budget_mb`; 0 = no limit but the memory that is there.

    `available` says how many MB are free now, None for "not known".
    """

    def __init__(self, budget_mb: int = 0, available: Callable[[], int | None] = available_mb) -> None:
        self._budget = budget_mb
        self._available = available
        self._loaded: OrderedDict[str, _Resident[T]] = OrderedDict()

    @property
    def names(self) -> tuple[str, ...]:
        """What is loaded, least recently used first."""
        return tuple(self._loaded)

    def get(self, name: str, size_mb: int, load: Callable[[], T], *, pinned: bool = False) -> T:
        """The model called `name`, loading it if need be. Raises OverBudget and what `load` raises."""
        found = self.find(name)
        if found is not None:
            return found
        self._make_room(name, size_mb)
        self._loaded[name] = _Resident(load(), size_mb, pinned)
        return self._loaded[name].model

    def find(self, name: str) -> T | None:
        """The model called `name` if it is loaded; it counts as used."""
        resident = self._loaded.get(name)
        if resident is None:
            return None
        self._loaded.move_to_end(name)
        return resident.model

    def reserve(self, name: str, size_mb: int) -> None:
        """Room for a job of the loaded model `name`, beside the model. Raises OverBudget."""
        if self._budget:
            resident = self._loaded[name]
            self._fit(f"a job of '{name}'", size_mb, resident.size_mb, {name})
        self._fit_machine(f"a job of '{name}'", size_mb, {name})

    def room_mb(self) -> int | None:
        """The most that a new model can get, once all that may go is given up; None when that is not known."""
        pinned = sum(each.size_mb for each in self._loaded.values() if each.pinned)
        loose = sum(each.size_mb for each in self._loaded.values() if not each.pinned)
        free = self._available()
        rooms = [self._budget - pinned] if self._budget else []
        if free is not None:
            rooms.append(free + loose)
        return min(rooms, default=None)

    def clear(self) -> None:
        """Give up everything."""
        self._loaded.clear()
        give_back()

    def _make_room(self, name: str, size_mb: int) -> None:
        if self._budget:
            self._fit(f"'{name}'", size_mb, 0, set())
        self._fit_machine(f"'{name}'", size_mb, set())

    def _fit(self, what: str, size_mb: int, own_mb: int, kept: set[str]) -> None:
        """Give up models until the budget holds `size_mb` more."""
        pinned = sum(each.size_mb for name, each in self._loaded.items() if each.pinned and name not in kept) + own_mb
        if pinned + size_mb > self._budget:
            beside = f" beside {pinned} MB of models that stay" if pinned else ""
            raise OverBudget(
                f"{what} needs about {size_mb} MB{beside}, but engine.memory_mb is {self._budget}: raise it, or set it "
                "to 0 for no limit."
            )
        self._give_up(kept, lambda: sum(each.size_mb for each in self._loaded.values()) + size_mb <= self._budget)

    def _fit_machine(self, what: str, size_mb: int, kept: set[str]) -> None:
        """Give up models until the machine has `size_mb`, rather than be killed for taking them."""

        def fits() -> bool:
            free = self._available()
            return free is None or size_mb <= free

        self._give_up(kept, fits)
        if not fits():
            raise OverBudget(
                f"{what} needs about {size_mb} MB, but only {self._available()} MB of memory are free: close other "
                "programs, or use a smaller model or picture."
            )

    def _give_up(self, kept: set[str], enough: Callable[[], bool]) -> None:
        """Drop the least recently used models until there is enough room."""
        for name, resident in list(self._loaded.items()):
            if enough():
                return
            if not resident.pinned and name not in kept:
                log.info("giving up '%s' (%d MB) to make room", name, resident.size_mb)
                del self._loaded[name]
                del resident
                give_back()
