"""Whether a converted text model answers as its checkpoint does."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from hordenode.engine.tokenizer import open_tokenizer
from hordenode.library.convert.precision import Precision, quantised, restored
from hordenode.library.convert.reference import Reference
from hordenode.library.errors import LibraryError
from hordenode.library.logits import Logits, graph_logits

PROMPT = "The quick brown fox jumps over the lazy dog. 12 + 30 = 42, and then?"
LONGEST = 32


@dataclass(frozen=True, slots=True)
class Agreement:
    """How far logits are from the checkpoint's, relative to their spread (root mean square).

    `error`: from exact arithmetic with the weights that are stored; `drift`: from the checkpoint itself, so it holds what
    rounding the weights costs; `same`: share of the positions at which the likeliest token is the same.
    """

    error: float
    drift: float
    same: float


def verify(folder: Path, reference: Reference, precision: Precision) -> Agreement:
    """Compare the graph in `folder` with the reference on a prompt. Raises LibraryError when it does not agree."""
    ids = prompt_tokens(folder, reference.shape.vocabulary)
    made = graph_logits(folder, ids)
    exact = reference.logits(ids)
    bits = precision.bits
    stored = exact
    if bits:

        def rounded(weight: Logits) -> Logits:
            return restored(quantised(weight, bits), bits, weight.shape[1])

        stored = Reference(reference.shape, reference.weights, rounded).logits(ids)
    same = float((made.argmax(-1) == exact.argmax(-1)).mean())
    found = Agreement(distance(made, stored), distance(made, exact), same)
    if not found.error <= precision.tolerance:  # also when it is no number
        raise LibraryError(
            f"{folder.name}: the converted model does not answer as the checkpoint does (relative error "
            f"{found.error:.2g}, allowed {precision.tolerance:.2g} at {precision.name}). Try --precision fp32; if that "
            "fails too, this checkpoint is of a kind that the converter does not know."
        )
    return found


def prompt_tokens(folder: Path, vocabulary: int) -> list[int]:
    """A prompt as the model's own tokenizer reads it. Raises ModelFileError and LibraryError."""
    ids = [token for token in open_tokenizer(folder).encode(PROMPT).ids[:LONGEST] if token < vocabulary]
    if not ids:
        raise LibraryError(
            f"{folder / 'tokenizer.json'}: makes no tokens of a plain English text. It is not this model's."
        )
    return ids


def distance(made: Logits, expected: Logits) -> float:
    """Root mean square of the difference, relative to the spread of what is expected."""
    difference = made.astype(np.float64) - expected
    return float(np.sqrt(np.square(difference).mean()) / max(float(expected.std()), 1e-9))
