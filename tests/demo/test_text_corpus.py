"""What the text model is taught, token by token."""

from __future__ import annotations

import numpy as np
from tokenizers import Tokenizer

from hordenode.demo.eval_text import MODEL
from hordenode.demo.text_corpus import END_ID, IGNORED, build_corpus, content_words, repeat_weights
from hordenode.demo.texts import document

TOKENIZER = Tokenizer.from_file(str(MODEL / "tokenizer.json"))
SEEDS = range(40)


def test_documents_are_followed_by_what_the_model_shall_say() -> None:
    corpus = build_corpus(TOKENIZER, SEEDS)
    assert len(corpus.tokens) == len(corpus.targets) == len(corpus.weights)
    bounds = [*corpus.starts.tolist(), len(corpus.tokens)]
    for seed, first, last in zip(SEEDS, bounds[:-1], bounds[1:], strict=True):
        targets = corpus.targets[first:last]
        ends = sum(passage.ends for passage in document(seed))
        assert corpus.tokens[first] == END_ID
        assert (targets == END_ID).sum() >= ends
        said = TOKENIZER.decode([t for t in targets.tolist() if t not in (IGNORED, END_ID)])
        assert said == "".join(passage.text for passage in document(seed) if passage.ends)


def test_windows_begin_with_a_document_and_go_round() -> None:
    corpus = build_corpus(TOKENIZER, SEEDS)
    batch = corpus.windows(corpus.starts[[0, -1]], len(corpus.tokens))
    assert np.array_equal(batch.tokens[0], corpus.tokens)
    assert batch.tokens[1, 0] == END_ID
    assert sorted(batch.tokens[1].tolist()) == sorted(corpus.tokens.tolist())


def test_a_word_said_before_weighs_more() -> None:
    words = content_words(TOKENIZER)
    first = next(token for token, word in words.items() if word == "Tom")
    assert repeat_weights([END_ID, *first, 5, *first], words) == [3.0] * len(first) + [1.0] + [6.0] * len(first) + [1.0]
