"""Who is there: workers that popped lately, what they offer, how fast they are. In memory only, never the truth."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field

from hordenode.coordinator.delivered import Delivered, Delivery
from hordenode.coordinator.verdicts import Judge
from hordenode.domain.entities import Kind, Worker
from hordenode.domain.limits import ONLINE_MS
from hordenode.domain.needs import Needs
from hordenode.protocol.alchemy import AlchemyPop
from hordenode.protocol.image import ImagePop
from hordenode.protocol.text import TextPop

Pop = ImagePop | TextPop | AlchemyPop

SAMPLES = 20


@dataclass(slots=True)
class Present:
    """A worker that popped since the node started. `uptime_ms` is what the store does not have yet.

    returned: it was away, paused or in maintenance since the store last heard of it.
    """

    worker: Worker
    judge: Judge
    pop: Pop
    seen_ms: int
    saved_ms: int
    uptime_ms: int = 0
    returned: bool = False
    samples: deque[float] = field(default_factory=lambda: deque(maxlen=SAMPLES))

    @property
    def speed(self) -> float | None:
        """Things per second, for an alchemist seconds per form, over the last deliveries."""
        return sum(self.samples) / len(self.samples) if self.samples else self.worker.speed

    @property
    def threads(self) -> int:
        return self.pop.threads

    @property
    def models(self) -> tuple[str, ...]:
        return () if isinstance(self.pop, AlchemyPop) else self.pop.models

    @property
    def available(self) -> bool:
        return not (self.worker.maintenance or self.worker.paused)


class Presence:
    def __init__(self) -> None:
        self._present: dict[str, Present] = {}
        self.recent = Delivered()

    def see(self, worker: Worker, judge: Judge, pop: Pop, now_ms: int) -> Present:
        """A pop: the only sign of life. Time since the last one counts as uptime unless the worker was away."""
        known = self._present.get(worker.id)
        if known is None:
            known = self._present[worker.id] = Present(worker, judge, pop, now_ms, now_ms)
            return known
        if known.available and now_ms - known.seen_ms < ONLINE_MS:
            known.uptime_ms += max(0, now_ms - known.seen_ms)
        else:
            known.returned = True
        known.worker, known.judge, known.pop, known.seen_ms = worker, judge, pop, now_ms
        return known

    def update(self, worker: Worker) -> None:
        """People changed the worker."""
        if (present := self._present.get(worker.id)) is not None:
            present.worker = worker

    def drop(self, worker_id: str) -> None:
        """The worker was deleted."""
        self._present.pop(worker_id, None)

    def get(self, worker_id: str) -> Present | None:
        return self._present.get(worker_id)

    def everyone(self) -> list[Present]:
        return list(self._present.values())

    def online(self, kind: Kind, now_ms: int) -> Iterator[Present]:
        """Workers seen within the last five minutes."""
        return (p for p in self._present.values() if p.worker.kind == kind and now_ms - p.seen_ms < ONLINE_MS)

    def threads(self, kind: Kind, now_ms: int) -> int:
        return sum(p.threads for p in self.online(kind, now_ms))

    def offers_model(self, kind: Kind, model: str, now_ms: int) -> bool:
        return any(model in p.models for p in self.online(kind, now_ms))

    def delivered(self, delivery: Delivery, worker_id: str) -> None:
        """Remember a delivered job (contract 18: only delivered ones count)."""
        self.recent.add(delivery)
        if (present := self._present.get(worker_id)) is not None:
            present.samples.append(delivery.speed)

    def mean_speed(self, kind: Kind) -> float | None:
        """Mean of the workers' latest samples in things per second."""
        samples = [s for p in self._present.values() if p.worker.kind == kind for s in p.samples]
        return sum(samples) / len(samples) if samples else None

    def can_serve(self, kind: Kind, signature: int, needs: Needs, user_id: int, now_ms: int) -> bool:
        """Whether a worker that is there could take such a request of this user (contract 9, valid worker)."""
        return any(
            (p.available or p.worker.user_id == user_id) and not p.judge.verdict(signature, needs)
            for p in self.online(kind, now_ms)
        )
