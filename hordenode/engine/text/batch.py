"""Many texts by one model, step by step: schedule -> run -> sample. Each text is as it would be alone."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from hordenode.engine.backends import Failure, Outcome
from hordenode.engine.jobs import EngineError, Progress
from hordenode.engine.text.logprobs import likelihood
from hordenode.engine.text.runner import Runner
from hordenode.engine.text.sampling import Draft, Row, pick
from hordenode.engine.text.scheduler import Entry, Plan, Scheduler
from hordenode.engine.text.sequence import Sequence

Rows = list[tuple[Row, float]]  # logits, each with its highest


@dataclass(frozen=True, slots=True)
class _Writing:
    """A text with its place in the scheduler and its randomness."""

    sequence: Sequence
    draft: Draft
    entry: Entry


@dataclass(slots=True)
class TextBatch:
    """The texts of one model."""

    runner: Runner
    scheduler: Scheduler
    _texts: dict[str, _Writing] = field(default_factory=dict)

    @property
    def busy(self) -> bool:
        return self.scheduler.busy

    @property
    def priority(self) -> int:
        """The most urgent text's, while there is something to do."""
        return self.scheduler.priority

    def add(self, sequence: Sequence, draft: Draft) -> None:
        """Begin with a text as soon as there is room."""
        job = sequence.job
        entry = Entry(job.id, sequence.tokens, job.priority, job.user)
        self._texts[job.id] = _Writing(sequence, draft, entry)
        self.scheduler.add(entry)

    def drop(self, job_id: str) -> bool:
        """Stop a text; False when there is none of this id."""
        text = self._texts.pop(job_id, None)
        if text is None:
            return False
        self.scheduler.remove(text.entry)
        return True

    def step(self) -> list[Outcome]:
        """A chunk of a prompt and one token of each text; what came of it."""
        plan = self.scheduler.plan()
        self.runner.move(plan.moves)
        outcomes: list[Outcome] = []
        ready: list[_Writing] = []
        rows: Rows = []
        for part in (self._decode, self._prefill):
            part(plan, ready, rows, outcomes)
        if ready:
            outcomes += self._write(ready, rows)
        return outcomes

    def _decode(self, plan: Plan, ready: list[_Writing], rows: Rows, outcomes: list[Outcome]) -> None:
        if not plan.decode:
            return
        texts = [self._texts[entry.id] for entry in plan.decode]
        try:
            logits = self.runner.decode([e.tokens[e.done] for e in plan.decode], [e.done for e in plan.decode])
        except EngineError as error:
            outcomes += [self._fail(text, error) for text in texts]
            return
        self.scheduler.decoded(plan)
        ready += texts
        rows.extend(zip(logits, logits.max(axis=1).tolist(), strict=True))

    def _prefill(self, plan: Plan, ready: list[_Writing], rows: Rows, outcomes: list[Outcome]) -> None:
        entry = plan.prefill
        if entry is None:
            return
        text = self._texts[entry.id]
        if entry is not self.scheduler.prefilling or self.scheduler.decoding != list(plan.decode):
            return  # those that decoded failed, and their slots moved: the next plan reads it in
        try:
            logits = self.runner.prefill(len(plan.decode), entry.tokens[entry.done : plan.stop], entry.done)
        except EngineError as error:
            outcomes.append(self._fail(text, error))
            return
        outcomes.append(Progress(entry.id, text.sequence.written, text.sequence.limit))
        if self.scheduler.prefilled(plan):
            ready.append(text)
            rows.extend(zip(logits, logits.max(axis=1).tolist(), strict=True))

    def _write(self, ready: list[_Writing], rows: Rows) -> list[Outcome]:
        """One more token for each."""
        outcomes: list[Outcome] = []
        fit: list[tuple[_Writing, Row]] = []
        for text, (row, top) in zip(ready, rows, strict=True):
            try:
                _prepare(text.draft, top)
                fit.append((text, row))
            except EngineError as error:
                outcomes.append(self._fail(text, error))
        tokens = pick([row for _, row in fit], [text.draft for text, _ in fit])
        for (text, row), token in zip(fit, tokens, strict=True):
            outcomes += self._append(text, token, row)
        return outcomes

    def _append(self, text: _Writing, token: int, row: Row) -> list[Outcome]:
        sequence, job, guide = text.sequence, text.sequence.job, text.draft.guide
        last = token not in sequence.ends and guide is not None and guide.take(token)
        likely = None
        if job.logprobs is not None and token not in sequence.ends:
            likely = likelihood(row, token, job.logprobs, sequence.tokenizer)
            sequence.logprobs.append(likely)
        piece = sequence.append(token, last=last)
        outcomes: list[Outcome] = [Progress(job.id, sequence.written, sequence.limit, piece, logprobs=likely)]
        if sequence.finish_reason is not None:
            self.drop(job.id)
            outcomes.append(sequence.result())
        return outcomes

    def abort(self, error: Exception) -> list[Failure]:
        """Give up all texts."""
        return [self._fail(text, error) for text in list(self._texts.values())]

    def _fail(self, text: _Writing, error: Exception) -> Failure:
        self.drop(text.sequence.job.id)
        return Failure(text.sequence.job.id, error)


def _prepare(draft: Draft, top: float) -> None:
    """Whatever must be known before a token is chosen; `top`: the highest logit. Raises EngineError."""
    if not math.isfinite(top):
        raise EngineError("The model computed something that is not a number; its files may be damaged.")
    if draft.guide is not None:
        draft.guide.look()
