"""Which job runs next. Pure bookkeeping: no tensors, no threads, no clock."""

from __future__ import annotations

import heapq
from itertools import count

from hordenode.engine.jobs import Job


class Scheduler:
    """Waiting jobs: lower priority number first, then first come, first served."""

    def __init__(self) -> None:
        self._heap: list[tuple[int, int, str]] = []
        self._jobs: dict[str, Job] = {}
        self._arrivals = count()

    def __len__(self) -> int:
        return len(self._jobs)

    def add(self, job: Job) -> None:
        """Queue a job; its id must not be waiting already."""
        self._jobs[job.id] = job
        heapq.heappush(self._heap, (job.priority, next(self._arrivals), job.id))

    def next(self) -> Job | None:
        """Take out the job that runs next; None when nothing waits."""
        while self._heap:
            job = self._jobs.pop(heapq.heappop(self._heap)[2], None)
            if job is not None:
                return job
        return None

    def remove(self, job_id: str) -> bool:
        """Forget a waiting job; False when it does not wait."""
        if self._jobs.pop(job_id, None) is None:
            return False
        self._heap = [entry for entry in self._heap if entry[2] != job_id]
        heapq.heapify(self._heap)
        return True
