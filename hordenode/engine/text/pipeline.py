"""A causal language model in the layout of ONNX Runtime GenAI's builder: genai_config.json, model.onnx, tokenizer."""

from __future__ import annotations

from collections.abc import Callable

from tokenizers import Tokenizer

from hordenode.catalog import TextModel
from hordenode.engine.jobs import Progress, TextJob, TextResult, UnsupportedJob
from hordenode.engine.runtime import Runtime
from hordenode.engine.seeds import seeded
from hordenode.engine.text.config import read_genai_config
from hordenode.engine.text.runner import CHUNK, Cache, Logits, TextRunner
from hordenode.engine.text.sampling import pick
from hordenode.engine.text.sequence import Sequence, fit
from hordenode.engine.tokenizer import open_tokenizer

Report = Callable[[Progress], None]


class TextPipeline:
    """A loaded model, ready to write."""

    def __init__(self, model: TextModel, runtime: Runtime) -> None:
        """Raises ModelFileError."""
        self._config = read_genai_config(model.path)
        self._context = min(model.context, self._config.model.context_length)
        self._tokenizer: Tokenizer = open_tokenizer(model.path)
        self._runner = TextRunner(runtime.open(model.path / self._config.model.decoder.filename), self._config)

    def write(self, job: TextJob, report: Report) -> TextResult:
        """Continue the prompt. Raises UnsupportedJob, and what `report` raises."""
        _check(job)
        ids = self._tokenizer.encode(job.prompt).ids
        window = fit(ids, job, self._context, self._config.model.bos_token_id)
        sequence = Sequence(job, window, self._config.ends, self._tokenizer)
        random = seeded(job.seed)
        cache = self._runner.cache(len(window.prompt) + window.limit)
        logits = self._prefill(cache, sequence, report)
        while True:
            text = sequence.append(pick(logits, sequence.tokens, job, random))
            report(Progress(job.id, sequence.written, sequence.limit, text))
            if sequence.finish_reason is not None:
                return sequence.result()
            logits = self._runner.feed(cache, sequence.tokens[-1:])

    def _prefill(self, cache: Cache, sequence: Sequence, report: Report) -> Logits:
        """Read the prompt; the logits of the first token to write."""
        prompt = sequence.tokens
        for at in range(0, len(prompt), CHUNK):
            logits = self._runner.feed(cache, prompt[at : at + CHUNK])
            report(Progress(sequence.job.id, 0, sequence.limit))
        return logits


def _check(job: TextJob) -> None:
    if job.temperature < 0 or job.rep_pen <= 0:
        raise UnsupportedJob(f"temperature {job.temperature} and rep_pen {job.rep_pen} must be 0 or more, and above 0.")
