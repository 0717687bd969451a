"""A causal language model in the layout of ONNX Runtime GenAI's builder or in that of optimum, with its tokenizer."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from tokenizers import Tokenizer

from hordenode.catalog import TextModel
from hordenode.engine.backends import Failure
from hordenode.engine.files import size_mb
from hordenode.engine.jobs import Progress, TextJob, TextResult
from hordenode.engine.memory import available_mb, gather
from hordenode.engine.runtime import Runtime
from hordenode.engine.seeds import seeded
from hordenode.engine.text import logprobs, pointwise
from hordenode.engine.text.batch import TextBatch
from hordenode.engine.text.chooser import Chooser
from hordenode.engine.text.concat import ConcatRunner
from hordenode.engine.text.config import DecoderPart
from hordenode.engine.text.draft import Draft, check
from hordenode.engine.text.guide import Guides
from hordenode.engine.text.last_token import last_only
from hordenode.engine.text.layout import read_config
from hordenode.engine.text.runner import Runner, TextRunner
from hordenode.engine.text.scheduler import CHUNK, Scheduler
from hordenode.engine.text.sequence import Sequence, fit
from hordenode.engine.tokenizer import open_tokenizer

Report = Callable[[Progress], None]

MANY, FLOAT = 64, 4  # heads, where their number is not known; bytes
UNTILED = 64 * 2**20  # bytes: up to here all scores of a chunk of prompt with its past are computed at once


class TextPipeline:
    """A loaded model, ready to write `slots` texts at a time, else as many as `model` says."""

    def __init__(self, model: TextModel, runtime: Runtime, slots: int = 0) -> None:
        """Raises ModelFileError."""
        slots = slots or model.max_batch
        self._config = read_config(model.path)
        self._context = min(model.context, self._config.model.context_length)
        self._tokenizer: Tokenizer = open_tokenizer(model.path)
        self._guides = Guides(self._tokenizer, self._config.ends)
        decoder = self._config.model.decoder
        file = model.path / decoder.filename
        changed = _ready(file, decoder, runtime)
        scores = (decoder.num_attention_heads or MANY) * CHUNK * self._context * FLOAT
        session = runtime.open(file, changed, awake=True, tiled_attention=scores > UNTILED)
        if session.reads_in_place:
            gather()
        kind = TextRunner if self._config.search.past_present_share_buffer else ConcatRunner
        runner: Runner = kind(session, self._config, slots, self._context)
        self.batch = TextBatch(runner, Scheduler(slots), Chooser(runtime))

    def begin(self, job: TextJob) -> None:
        """Add a job to the batch. Raises UnsupportedJob."""
        check(job)
        logprobs.check(job.logprobs)
        guide = None if job.constraint is None else self._guides.start(job.constraint)
        # A template writes the special tokens itself.
        ids = self._tokenizer.encode(job.prompt, add_special_tokens=not job.messages).ids
        window = fit(ids, job, self._context, self._config.model.bos_token_id)
        sequence = Sequence(job, window, self._config.ends, self._tokenizer)
        banned = tuple(sorted(self._config.ends)) if job.use_default_badwordsids else ()
        breakers = self._breakers(job) if job.dry_multiplier > 0 else frozenset()
        draft = Draft(job, sequence.tokens, len(window.prompt), seeded(job.seed), banned, breakers, guide)
        self.batch.add(sequence, draft)

    def _breakers(self, job: TextJob) -> frozenset[int]:
        """The last token of each breaker."""
        encoded = (self._tokenizer.encode(text, add_special_tokens=False).ids for text in job.dry_breakers)
        return frozenset(ids[-1] for ids in encoded if ids)

    def write(self, job: TextJob, report: Report) -> TextResult:
        """Continue the prompt, alone. Raises UnsupportedJob, EngineError and what `report` raises."""
        self.begin(job)
        try:
            while True:
                for outcome in self.batch.step():
                    if isinstance(outcome, Failure):
                        raise outcome.error
                    if isinstance(outcome, TextResult):
                        return outcome
                    assert isinstance(outcome, Progress)
                    report(outcome)
        finally:
            self.batch.drop(job.id)


def _ready(file: Path, decoder: DecoderPart, runtime: Runtime) -> bytes | None:
    """The graph in a file as it is best run; None: as it is there."""
    report = runtime.report()
    # Elsewhere logits come back as they are, and nobody would look at the highest.
    changed = last_only(file, decoder.outputs.logits, tell=report.provider == "cpu")
    if changed is not None and not runtime.limited and pointwise.pays(report, size_mb(file.parent), available_mb()):
        return pointwise.convolved(changed, decoder.inputs.input_ids, report.threads) or changed
    return changed
