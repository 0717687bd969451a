"""What the text model learns from: encoded documents, with targets and what each of them matters."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

from hordenode.demo.storyworld import EVERY_NAME, HOMES, KINDS, LOOKS, NATURES, THINGS
from hordenode.demo.texts import document

END = "<|endoftext|>"
END_ID = 0
# Targets that the loss leaves out, as torch marks them.
IGNORED = -100
# A name or thing that was mentioned before weighs this much: few words, but they hold a story together.
WEIGHT_OF_A_REPEAT = 4.0
# What a name weighs then, since a story about somebody else is no answer, and what a new one does: friends differ.
WEIGHT_OF_A_NAME, WEIGHT_OF_A_NEW_NAME = 6.0, 3.0


Integers = NDArray[np.int64]
Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Batch:
    """Tokens [B, S], for each of them the one that should follow, and how much that matters."""

    tokens: Integers
    targets: Integers
    weights: Floats


@dataclass(frozen=True)
class Corpus:
    """Documents one after another: tokens, targets and weights [N], and where documents start."""

    tokens: Integers
    targets: Integers
    weights: Floats
    starts: Integers

    def windows(self, first: Integers, length: int) -> Batch:
        """Cut windows [B, length] that begin at the places `first` [B]; behind the last document comes the first."""
        places = (first[:, None] + np.arange(length)) % len(self.tokens)
        return Batch(self.tokens[places], self.targets[places], self.weights[places])


def build_corpus(tokenizer: Tokenizer, seeds: range) -> Corpus:
    """Write and encode the documents of these seeds.

    What a user says is no target: the model need not learn to ask, and questions are the least predictable part.
    """
    tokens: list[int] = []
    targets: list[int] = []
    weights: list[float] = []
    starts: list[int] = []
    words = content_words(tokenizer)
    for seed in seeds:
        ids, following, ends = [END_ID], list[int](), list[int]()
        for passage in document(seed):
            encoded = tokenizer.encode(passage.text, add_special_tokens=False).ids
            ids += encoded
            following += encoded if passage.ends else [IGNORED] * len(encoded)
            if passage.ends:
                ends.append(len(ids) - 1)
        following.append(END_ID)
        for place in ends:
            # A conversation goes on here, but the model shall stop: the next turn is the user's.
            following[place] = END_ID
        starts.append(len(tokens))
        tokens += ids
        targets += following
        weights += repeat_weights(ids, words)
    integers = (np.array(values, np.int64) for values in (tokens, targets, starts))
    every, following_tokens, first = integers
    return Corpus(every, following_tokens, np.array(weights, np.float32), first)


def content_words(tokenizer: Tokenizer) -> dict[tuple[int, ...], str]:
    """Return the words of our stories' world by their tokens, with and without a space before them."""
    every = [*EVERY_NAME, *KINDS, *THINGS, *LOOKS, *NATURES, *(home.split()[-1] for home in HOMES.values())]
    return {
        tuple(tokenizer.encode(space + word, add_special_tokens=False).ids): word
        for word in every
        for space in ("", " ")
    }


def _weight(word: str, *, said: bool) -> float:
    if word in EVERY_NAME:
        return WEIGHT_OF_A_NAME if said else WEIGHT_OF_A_NEW_NAME
    return WEIGHT_OF_A_REPEAT if said else 1.0


def repeat_weights(ids: list[int], words: dict[tuple[int, ...], str]) -> list[float]:
    """Weigh every target of a document: a content word counts more when it stands before its place already."""
    targets = (*ids[1:], END_ID)
    longest = max(map(len, words))
    seen: set[str] = set()
    weights: list[float] = []
    while len(weights) < len(targets):
        ahead = targets[len(weights) : len(weights) + longest]
        size = next((n for n in range(len(ahead), 0, -1) if ahead[:n] in words), 1)
        word = words.get(ahead[:size], "")
        weights += [_weight(word, said=word in seen)] * size
        if word:
            seen.add(word)
    return weights
