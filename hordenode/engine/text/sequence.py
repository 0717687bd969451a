"""A text in the making: its tokens, its limits and what is known of its end. Holds no tensors."""

from __future__ import annotations

from collections.abc import Sequence as Items
from dataclasses import dataclass

from tokenizers import Tokenizer

from hordenode.engine.jobs import TextJob, TextResult, TokenLikelihood, UnsupportedJob
from hordenode.engine.text.decoding import Detokenizer, StopFilter
from hordenode.engine.text.formatting import tidy


@dataclass(frozen=True, slots=True)
class Window:
    """The part of a prompt that fits, and how many tokens may follow it."""

    prompt: list[int]
    limit: int


def fit(ids: Items[int], job: TextJob, context: int, start: int | None) -> Window:
    """Cut the prompt on the left so that `max_length` tokens fit after it; a start token stays at the start.

    Raises UnsupportedJob when nothing can be written.
    """
    window = min(job.max_context_length, context)
    limit = min(job.max_length, window - 1)
    if limit < 1:
        raise UnsupportedJob(
            f"max_length {job.max_length} and a context of {window} tokens leave no room for a prompt and an answer."
        )
    if not ids and start is None:
        raise UnsupportedJob("The prompt is empty, and this model has no token to start from.")
    prompt = list(ids) if ids or start is None else [start]
    room = window - limit
    if len(prompt) > room:
        head = [start] if start is not None and prompt[0] == start and room > 1 else []
        prompt = head + prompt[len(head) - room :]
    return Window(prompt, limit)


class Sequence:
    """A job's tokens, prompt first, and the text written so far."""

    def __init__(self, job: TextJob, window: Window, ends: frozenset[int], tokenizer: Tokenizer) -> None:
        self.job = job
        self.tokens = list(window.prompt)
        self.limit = window.limit
        self.written = 0
        self.finish_reason: str | None = None
        self.logprobs: list[TokenLikelihood] = []
        self._prompt = len(window.prompt)
        self.ends = ends
        self.tokenizer = tokenizer
        self._detokenizer = Detokenizer(tokenizer, window.prompt)
        self._stops = StopFilter((*job.stop_sequences, "\n") if job.singleline else job.stop_sequences)
        self._text: list[str] = []

    def append(self, token: int, *, last: bool = False) -> str:
        """Take the next token; returns the text that is now certain. Sets `finish_reason` at the end.

        `last`: nothing may follow it.
        """
        text = ""
        self.tokens.append(token)
        if token in self.ends:
            self.finish_reason = "stop"
        else:
            self.written += 1
            text = self._stops.add(self._detokenizer.add(token))
            stopped = last or self._stops.stopped
            self.finish_reason = "stop" if stopped else "length" if self.written == self.limit else None
        if self.finish_reason is not None:
            text += self._stops.rest()
        self._text.append(text)
        return text

    def result(self) -> TextResult:
        """What was written, once finished."""
        reason = self.finish_reason or "length"
        text = tidy("".join(self._text), self.job)
        return TextResult(self.job.id, text, self._prompt, self.written, reason, self.job.seed, tuple(self.logprobs))
