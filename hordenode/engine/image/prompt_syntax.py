"""The syntax of prompts: `(words)` count 1.1 times, `[words]` as much less, `(words:1.3)` as said; BREAK ends a chunk.

Brackets nest, and a backslash makes one a plain character.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

EMPHASIS = 1.1

_TOKENS = re.compile(r"\\[()\[\]\\]|:\s*[+-]?(?:\d+\.?\d*|\.\d+)\s*\)|[()\[\]]|\bBREAK\b|[^\\()\[\]:B]+|.", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Words:
    """A piece of a prompt and how much it counts."""

    text: str
    weight: float = 1.0


def parse(prompt: str) -> list[list[Words]]:
    """The parts between BREAKs, each as words with weights. Brackets without partner are closed at the end."""
    parts: list[list[Words]] = [[]]
    opened: list[tuple[str, int, int]] = []  # bracket, number of parts and of words before it
    for token in _TOKENS.findall(prompt):
        if token in ("(", "["):
            opened.append((token, len(parts) - 1, len(parts[-1])))
        elif token == "BREAK":
            parts.append([])
        elif _closes(token, opened):
            bracket, part, words = opened.pop()
            _scale(parts, part, words, _factor(bracket, token))
        else:
            parts[-1].append(Words(token[1:] if len(token) == 2 and token[0] == "\\" else token))
    for bracket, part, words in reversed(opened):
        _scale(parts, part, words, _factor(bracket, ""))
    return [_joined(words) for words in parts]


def _closes(token: str, opened: list[tuple[str, int, int]]) -> bool:
    if not opened:
        return False
    bracket = opened[-1][0]
    return token == "]" if bracket == "[" else token.endswith(")") and not token.startswith("\\")


def _factor(bracket: str, token: str) -> float:
    if token.startswith(":"):
        return float(token[1:-1])
    return EMPHASIS if bracket == "(" else 1 / EMPHASIS


def _scale(parts: list[list[Words]], part: int, words: int, factor: float) -> None:
    """Everything since a bracket was opened counts `factor` times as much."""
    for index in range(part, len(parts)):
        start = words if index == part else 0
        parts[index][start:] = [Words(each.text, each.weight * factor) for each in parts[index][start:]]


def _joined(words: list[Words]) -> list[Words]:
    """Neighbours of one weight as one piece, so that their tokens are those of the plain text."""
    joined: list[Words] = []
    for each in words:
        if joined and joined[-1].weight == each.weight:
            joined[-1] = Words(joined[-1].text + each.text, each.weight)
        else:
            joined.append(each)
    return joined
