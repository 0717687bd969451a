"""The form `interrogation`: which words of given lists fit a picture, by CLIP.

vision_model.onnx   pixel_values -> image_embeds        text_model.onnx   input_ids -> text_embeds
words.json          {"tags": ["…"], "artists": ["…"], …}
preprocessor_config.json, tokenizer.json
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypedDict

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from hordenode.catalog import AlchemyModel
from hordenode.engine.alchemy.options import Options, flag, whole
from hordenode.engine.files import read_json
from hordenode.engine.preparation import Preparation
from hordenode.engine.runtime import Runtime, Session
from hordenode.engine.tokenizer import open_tokenizer

LISTS = ("tags", "sites", "artists", "flavors", "mediums", "movements", "techniques")
TOP_COUNT, MOST = 5, 100
BATCH = 32
LONGEST = 77  # tokens that CLIP reads
TEMPERATURE = 100.0  # what CLIP's similarities are trained to be multiplied by

Embeddings = NDArray[np.float32]  # [n, width], of length 1


class Guess(TypedDict):
    """`confidence` in per cent of the list, or the similarity, -1..1, where that was asked for."""

    text: str
    confidence: float


class Interrogator:
    """A loaded CLIP with the embeddings of its words."""

    def __init__(self, model: AlchemyModel, runtime: Runtime) -> None:
        """Raises ModelFileError."""
        folder = model.path
        self._vision = runtime.open(folder / "vision_model.onnx")
        self._vision.require("pixel_values")
        self._preparation = read_json(folder / "preprocessor_config.json", Preparation)
        words = read_json(folder / "words.json", dict[str, list[str]])
        text = runtime.open(folder / "text_model.onnx")
        text.require("input_ids")
        tokenizer = open_tokenizer(folder)
        self._lists = {
            name: (words[name], _embedded(text, [tokenizer.encode(word).ids[:LONGEST] for word in words[name]]))
            for name in LISTS
            if words.get(name)
        }

    def apply(self, image: Image.Image, options: Options, done: Callable[[int, int], None]) -> dict[str, list[Guess]]:
        """The best words of each list. Options: top_count (5), similarity."""
        count = whole(options, "top_count", TOP_COUNT, 1, MOST)
        seen = _unit(_fetched(self._vision, {"pixel_values": self._preparation.prepared(image)}, "image_embeds"))[0]
        done(1, 1)
        return {
            name: _best(*self._lists[name], seen, count, by_similarity=flag(options, "similarity"))
            if name in self._lists
            else []
            for name in LISTS
        }


def _best(
    words: Sequence[str], embeddings: Embeddings, seen: Embeddings, count: int, *, by_similarity: bool
) -> list[Guess]:
    similar = embeddings @ seen
    likely = np.exp((similar - similar.max()) * TEMPERATURE)
    marks = similar if by_similarity else 100 * likely / likely.sum()
    order = np.argsort(-similar, kind="stable")[:count]
    return [Guess(text=words[i], confidence=round(float(marks[i]), 4)) for i in order]


def _embedded(model: Session, texts: Sequence[Sequence[int]]) -> Embeddings:
    """Tokens to embeddings. Short texts are filled up with their last token: CLIP looks at the first that ends them."""
    parts = []
    for at in range(0, len(texts), BATCH):
        batch = texts[at : at + BATCH]
        longest = max(map(len, batch))
        ids = np.array([[*text, *[text[-1]] * (longest - len(text))] for text in batch], np.int64)
        feeds = {"input_ids": ids}
        if "attention_mask" in model.inputs:
            feeds["attention_mask"] = np.array([[i < len(text) for i in range(longest)] for text in batch], np.int64)
        parts.append(_unit(_fetched(model, feeds, "text_embeds")))
    return np.concatenate(parts)


def _fetched(model: Session, feeds: Mapping[str, NDArray[Any]], name: str) -> Embeddings:
    wanted = name if name in model.outputs else next(iter(model.outputs))
    return np.asarray(model.fetch(feeds, [wanted])[0], np.float32)


def _unit(embeddings: Embeddings) -> Embeddings:
    return np.asarray(embeddings / np.linalg.norm(embeddings, axis=-1, keepdims=True), np.float32)
