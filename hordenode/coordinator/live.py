"""What running jobs have brought so far: in memory only, gone when the job ends (ARCHITECTURE 3.4)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from hordenode.ops.events import JobPopped, JobProgress
from hordenode.protocol.extension import TokenLikelihood


@dataclass(slots=True)
class LiveJob:
    """A running job. text, logprobs: of all that it wrote; preview: the latest, a small WebP."""

    id: str
    request_id: str
    user_id: int
    worker_id: str
    kind: str
    step: int = 0
    steps: int = 0
    text: str = ""
    preview: bytes = b""
    logprobs: list[TokenLikelihood] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class News:
    """What a step brought: see ops/events.py."""

    step: int
    steps: int
    text: str = ""
    preview: bytes = b""
    logprobs: tuple[TokenLikelihood, ...] = ()


class Live:
    """All running jobs by id."""

    def __init__(self) -> None:
        self._jobs: dict[str, LiveJob] = {}

    def __len__(self) -> int:
        return len(self._jobs)

    def load(self, jobs: Iterable[LiveJob]) -> None:
        """The state at start."""
        self._jobs = {job.id: job for job in jobs}

    def popped(self, event: JobPopped) -> None:
        self._jobs[event.id] = LiveJob(event.id, event.request_id, event.user_id, event.worker_id, event.kind)

    def ended(self, job_id: str) -> None:
        self._jobs.pop(job_id, None)

    def get(self, job_id: str) -> LiveJob | None:
        return self._jobs.get(job_id)

    def of_request(self, request_id: str) -> Iterator[LiveJob]:
        return (job for job in self._jobs.values() if job.request_id == request_id)

    def progress(self, job: LiveJob, news: News) -> JobProgress:
        """Note a step; the event that tells of it."""
        job.step, job.steps = news.step, news.steps
        job.text += news.text
        job.preview = news.preview or job.preview
        job.logprobs += news.logprobs
        told = (news.step, news.steps, news.text, news.preview, news.logprobs)
        return JobProgress(job.id, job.request_id, job.user_id, *told)
