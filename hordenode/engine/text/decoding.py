"""From tokens to text while they come: whole characters only, and nothing of a stop sequence."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from tokenizers import Tokenizer

# How many tokens a decoder must see to know whether a space belongs before the next word; and at most sees.
CONTEXT, LONGEST = 6, 12
BROKEN = "\ufffd"


class Detokenizer:
    """Turns tokens into text one by one; a character of several tokens comes with the last of them."""

    def __init__(self, tokenizer: Tokenizer, prompt: Sequence[int]) -> None:
        self._tokenizer = tokenizer
        self._tokens = list(prompt[-CONTEXT:])
        self._known = self._decode()

    def add(self, token: int) -> str:
        """What this token adds to the text; empty in the midst of a character."""
        self._tokens.append(token)
        text = self._decode()
        if text.endswith(BROKEN):
            return ""
        fresh = text[len(self._known) :]
        self._known = text
        if len(self._tokens) > LONGEST:
            self._tokens = self._tokens[-CONTEXT:]
            self._known = self._decode()
        return fresh

    def _decode(self) -> str:
        text: str = self._tokenizer.decode(self._tokens, skip_special_tokens=True)
        return text


class StopFilter:
    """Passes text on until a stop sequence is complete; holds back what may be the beginning of one."""

    def __init__(self, sequences: Iterable[str]) -> None:
        self._sequences = tuple(sequence for sequence in sequences if sequence)
        self._held = ""
        self.stopped = False

    def add(self, text: str) -> str:
        """The text that can be shown. Once `stopped`, all text is out up to the first stop sequence."""
        if not self._sequences:
            return text
        self._held += text
        found = [at for sequence in self._sequences if (at := self._held.find(sequence)) >= 0]
        if found:
            self.stopped = True
            shown, self._held = self._held[: min(found)], ""
            return shown
        keep = max((_overlap(self._held, sequence) for sequence in self._sequences), default=0)
        split = len(self._held) - keep
        shown, self._held = self._held[:split], self._held[split:]
        return shown

    def rest(self) -> str:
        """What was held back for nothing."""
        rest, self._held = self._held, ""
        return rest


def _overlap(text: str, sequence: str) -> int:
    """Length of the longest end of `text` with which `sequence` begins."""
    longest = min(len(text), len(sequence) - 1)
    return next((size for size in range(longest, 0, -1) if sequence.startswith(text[-size:])), 0)
