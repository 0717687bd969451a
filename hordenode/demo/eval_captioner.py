"""Measures the exported captioner on held-out drawings (onnxruntime and numpy only)."""

from __future__ import annotations

import argparse
import json
import re
from collections import Counter
from pathlib import Path

import numpy as np
import onnxruntime
from numpy.typing import NDArray
from tokenizers import Tokenizer

from hordenode.demo.eval_prompts import prompts, scaled
from hordenode.demo.palette import Item, Pixels
from hordenode.demo.things import KINDS
from hordenode.demo.wording import NUMBERS

MODEL = Path(__file__).parent / "models" / "captioner"


class OnnxCaptioner:
    """The exported folder, ready to describe."""

    def __init__(self, folder: Path) -> None:
        self._encoder, self._decoder = (
            onnxruntime.InferenceSession(str(folder / f"{part}_model.onnx"), providers=["CPUExecutionProvider"])
            for part in ("encoder", "decoder")
        )
        self._tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        self._start: int = config["decoder_start_token_id"]
        self._end: int = config["eos_token_id"]
        self._longest: int = config["max_length"]

    def describe(self, pixels: Pixels) -> str:
        """Return the likeliest caption of a picture [H, W, 3], word by word."""
        states = self._encoder.run(None, {"pixel_values": scaled(pixels)})[0]
        words = [self._start]
        while len(words) < self._longest:
            feed = {"input_ids": np.array([words], np.int64), "encoder_hidden_states": states}
            logits: NDArray[np.float32] = self._decoder.run(None, feed)[0]
            words.append(int(logits[0, -1].argmax()))
            if words[-1] == self._end:
                break
        return str(self._tokenizer.decode(words, skip_special_tokens=True))


def named(caption: str, items: tuple[Item, ...]) -> tuple[bool, bool, bool]:
    """Tell whether a caption names every kind, every colour that needs a word, and every number of what is there."""
    said = set(re.findall(r"[a-z0-9]+", caption.lower()))
    groups = Counter((item.kind, item.colour) for item in items)
    words = {kind: {*KINDS[kind].words, KINDS[kind].plural, "people" if kind == "person" else ""} for kind, _ in groups}
    kinds = all(any(word and set(word.split()) <= said for word in words[kind]) for kind, _ in groups)
    colours = all(colour in said or colour == KINDS[kind].bare for kind, colour in groups)
    counts = all(count == 1 or {NUMBERS[count], str(count)} & said for count in groups.values())
    return kinds, colours, counts


def main() -> None:
    """Run the measurement from the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", type=Path, default=MODEL, help="folder of the exported captioner")
    parser.add_argument("--pictures", type=int, default=200, help="how many drawings to describe")
    options = parser.parse_args()
    captioner = OnnxCaptioner(options.model)
    right = np.zeros(3, np.int64)
    for number, (picture, caption) in enumerate(prompts(options.pictures)):
        said = captioner.describe(picture.pixels)
        right += np.array(named(said, picture.items))
        if number % 20 == 0:
            print(f"{caption} -> {said}", flush=True)
    for name, count in zip(("kinds", "colours", "numbers"), right.tolist(), strict=True):
        print(f"{name} right {count}/{options.pictures} = {count / options.pictures:.1%}", flush=True)


if __name__ == "__main__":
    main()
