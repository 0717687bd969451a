"""Workers that wait for a job: each new job wakes the one that waits longest of those that can do it.

Waking all of them would make a thousand waiting workers cost a thousand pops per request.
"""

from __future__ import annotations

import asyncio
import itertools
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from hordenode.coordinator.line import Line
from hordenode.coordinator.verdicts import Judge, Verdicts
from hordenode.domain.entities import Kind, WaitingPrompt
from hordenode.domain.needs import Needs


@dataclass(slots=True)
class Summons:
    """A request that somebody should pop, and the numbers of those who were woken for it."""

    wp: WaitingPrompt
    told: set[int] = field(default_factory=set)


class Waiter:
    """One waiting pop. `judge` is what its worker offers; unknown until its first look, it is woken for anything.

    `ended`: its worker wants the answer now.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.ended = False
        self.judge: Judge | None = None
        self.summons: list[Summons] = []
        self.heard = asyncio.Event()

    def take(self) -> list[Summons]:
        """The summons so far."""
        taken, self.summons = self.summons, []
        self.heard.clear()
        return taken


class Waiters:
    """All waiting pops, those that wait longest first. woken: how many summons there were."""

    def __init__(self, verdicts: Verdicts, line: Line) -> None:
        self._verdicts = verdicts
        self._line = line
        self._waiting: dict[Kind, dict[int, Waiter]] = {kind: {} for kind in Kind}
        self._numbers = itertools.count()
        self._out: Counter[str] = Counter()  # request → summons that nobody has looked for yet
        self.woken = 0
        self._closed = False

    @contextmanager
    def wait(self, kind: Kind, name: str = "") -> Iterator[Waiter]:
        """Be woken for jobs until the block ends. What it was woken for and did not look for goes to the next one."""
        number, waiter = next(self._numbers), Waiter(name)
        self._waiting[kind][number] = waiter
        if self._closed:
            waiter.heard.set()
        try:
            yield waiter
        finally:
            del self._waiting[kind][number]
            self._pass_on(waiter.take())

    @contextmanager
    def look(self, waiter: Waiter) -> Iterator[None]:
        """A look at the queue. What the waiter was woken for before it, and left there, goes to the next one.

        What comes during a look stays with the waiter: it may not have been there to be seen.
        """
        summons = waiter.take()
        try:
            yield
        finally:
            self._pass_on(summons)

    def summon(self, wp: WaitingPrompt, count: int) -> None:
        """So many more jobs of a request can be popped: wake as many workers."""
        if self._waiting[wp.kind]:
            self._wake(Summons(wp), count)

    def close(self) -> None:
        """Wake everybody: the node stops."""
        self._closed = True
        self.rouse()

    def rouse(self) -> None:
        """Wake everybody."""
        for waiting in self._waiting.values():
            for waiter in waiting.values():
                waiter.heard.set()

    def end(self, name: str) -> bool:
        """Have the waiting pop of this name answered now; False when there is none."""
        found = [each for waiting in self._waiting.values() for each in waiting.values() if name and each.name == name]
        for waiter in found:
            waiter.ended = True
            waiter.heard.set()
        return bool(found)

    def __len__(self) -> int:
        return sum(map(len, self._waiting.values()))

    def _pass_on(self, summons: Iterable[Summons]) -> None:
        """Wake somebody else for a request of which more waits than the others were woken for."""
        for each in summons:
            request = each.wp.id
            self._out[request] -= 1
            if self._line.waiting_of(request) > self._out[request]:
                self._wake(each, 1)
            if not self._out[request]:
                del self._out[request]

    def _wake(self, summons: Summons, count: int) -> None:
        needs = self._verdicts.known(summons.wp.signature_id)
        for number, waiter in self._waiting[summons.wp.kind].items():
            if count == 0:
                return
            if number in summons.told or not _can(waiter, summons.wp.signature_id, needs):
                continue
            summons.told.add(number)
            waiter.summons.append(summons)
            self.woken += 1
            self._out[summons.wp.id] += 1
            waiter.heard.set()
            count -= 1


def _can(waiter: Waiter, signature: int, needs: Needs | None) -> bool:
    """Whether it is worth a look, as far as is known."""
    return waiter.judge is None or needs is None or not waiter.judge.verdict(signature, needs)
