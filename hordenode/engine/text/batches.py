"""The texts of all models that are at work: each model has its own batch, and they take turns."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from hordenode.engine.backends import Failure, Outcome
from hordenode.engine.jobs import TextJob
from hordenode.engine.text.batch import TextBatch
from hordenode.engine.text.pipeline import TextPipeline


@dataclass(slots=True)
class TextBatches:
    """`load` gives the pipeline of a job's model, or raises EngineError; `prepare`: see Batches."""

    load: Callable[[TextJob], TextPipeline]
    prepare: Callable[[TextJob], TextJob]
    _active: dict[str, TextPipeline] = field(default_factory=dict)  # held while they have texts, whatever else loads
    _arrived: list[TextJob] = field(default_factory=list)

    @property
    def busy(self) -> bool:
        return bool(self._active or self._arrived)

    def add(self, job: TextJob) -> None:
        """Take a job in with the next step."""
        self._arrived.append(job)

    def drop(self, job_id: str) -> None:
        """Forget a job; its slot is free with the next step."""
        self._arrived = [job for job in self._arrived if job.id != job_id]
        for name, pipeline in list(self._active.items()):
            pipeline.batch.drop(job_id)
            self._release(name)

    def step(self) -> list[Outcome]:
        """One step of each model that has texts; where one of them has more urgent ones, the others wait for it."""
        outcomes: list[Outcome] = []
        arrived, self._arrived = self._arrived, []
        for job in arrived:
            try:
                pipeline = self._active.get(job.model) or self.load(job)
                pipeline.begin(job)
                self._active[job.model] = pipeline
            except Exception as error:  # whatever is wrong with a job or a model, the others go on
                outcomes.append(Failure(job.id, error))
        first = min((pipeline.batch.priority for pipeline in self._active.values()), default=0)
        for name, pipeline in list(self._active.items()):
            if pipeline.batch.priority == first:
                outcomes += _step(pipeline.batch)
                self._release(name)
        return outcomes

    def _release(self, name: str) -> None:
        if not self._active[name].batch.busy:
            del self._active[name]


def _step(batch: TextBatch) -> list[Outcome]:
    try:
        return batch.step()
    except Exception as error:  # other models go on, and so does this one with its next job
        return list(batch.abort(error))
