"""Many texts by one model, step by step: schedule -> run -> sample. Each text is as it would be alone."""

from __future__ import annotations

from dataclasses import dataclass, field

from hordenode.engine.backends import Failure, Outcome
from hordenode.engine.jobs import EngineError, Progress
from hordenode.engine.text.chooser import Chooser
from hordenode.engine.text.draft import Draft
from hordenode.engine.text.logprobs import likelihood
from hordenode.engine.text.runner import Runner, Scores
from hordenode.engine.text.sampling import NOTHING, Row, pick, wanted
from hordenode.engine.text.scheduler import Entry, Plan, Scheduler
from hordenode.engine.text.sequence import Sequence

NO_NUMBER = "The model computed something that is not a number; its files may be damaged."


@dataclass(frozen=True, slots=True)
class _Writing:
    """A text with its place in the scheduler and its randomness."""

    sequence: Sequence
    draft: Draft
    entry: Entry


Ready = list[tuple[list[_Writing], Scores]]  # texts with what comes next


@dataclass(slots=True)
class TextBatch:
    """The texts of one model."""

    runner: Runner
    scheduler: Scheduler
    chooser: Chooser
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
        """A chunk of a prompt, or one token of each text, or both; what came of it."""
        plan = self.scheduler.plan()
        self.runner.move(plan.moves)
        outcomes: list[Outcome] = []
        ready: Ready = []
        for part in (self._decode, self._prefill):
            part(plan, ready, outcomes)
        for texts, scores in ready:
            outcomes += self._write(texts, scores)
        return outcomes

    def _decode(self, plan: Plan, ready: Ready, outcomes: list[Outcome]) -> None:
        if not plan.decode:
            return
        texts = [self._texts[entry.id] for entry in plan.decode]
        try:
            few = wanted(text.draft for text in texts)
            scores = self.runner.decode([e.tokens[e.done] for e in plan.decode], [e.done for e in plan.decode], few)
        except EngineError as error:
            outcomes += [self._fail(text, error) for text in texts]
            return
        self.scheduler.decoded(plan)
        ready.append((texts, scores))

    def _prefill(self, plan: Plan, ready: Ready, outcomes: list[Outcome]) -> None:
        entry = plan.prefill
        if entry is None:
            return
        text = self._texts[entry.id]
        if entry is not self.scheduler.prefilling or len(self.scheduler.decoding) != plan.slot:
            return  # those that decoded failed, and their slots moved: the next plan reads it in
        try:
            logits = self.runner.prefill(plan.slot, entry.tokens[entry.done : plan.stop], entry.done)
        except EngineError as error:
            outcomes.append(self._fail(text, error))
            return
        outcomes.append(Progress(entry.id, text.sequence.written, text.sequence.limit))
        if self.scheduler.prefilled(plan):
            ready.append(([text], Scores(logits)))

    def _write(self, texts: list[_Writing], scores: Scores) -> list[Outcome]:
        """One more token for each."""
        outcomes: list[Outcome] = []
        stuck: set[str] = set()
        for text, guide in [(text, text.draft.guide) for text in texts if text.draft.guide is not None]:
            try:
                guide.look()
            except EngineError as error:
                stuck.add(text.entry.id)
                outcomes.append(self._fail(text, error))
        logits, highest = scores
        if stuck:
            fit = [text.entry.id not in stuck for text in texts]
            logits, highest = logits[fit], None
            texts = [text for text in texts if text.entry.id not in stuck]
        tokens = pick(logits, [text.draft for text in texts], highest, self.chooser)
        for text, row, token in zip(texts, logits, tokens, strict=True):
            if token == NOTHING:
                outcomes.append(self._fail(text, EngineError(NO_NUMBER)))
            else:
                self._append(text, token, row, outcomes)
        return outcomes

    def _append(self, text: _Writing, token: int, row: Row, outcomes: list[Outcome]) -> None:
        sequence, job, guide = text.sequence, text.sequence.job, text.draft.guide
        last = token not in sequence.ends and guide is not None and guide.take(token)
        likely = None
        if job.logprobs is not None and token not in sequence.ends:
            likely = likelihood(row, token, job.logprobs, sequence.tokenizer)
            sequence.logprobs.append(likely)
        piece = sequence.append(token, last=last)
        outcomes.append(Progress(job.id, sequence.written, sequence.limit, piece, None, likely))
        if sequence.finish_reason is not None:
            self.drop(job.id)
            outcomes.append(sequence.result())

    def abort(self, error: Exception) -> list[Failure]:
        """Give up all texts."""
        return [self._fail(text, error) for text in list(self._texts.values())]

    def _fail(self, text: _Writing, error: Exception) -> Failure:
        self.drop(text.sequence.job.id)
        return Failure(text.sequence.job.id, error)
