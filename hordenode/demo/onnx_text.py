"""A minimal greedy run of the exported language model with onnxruntime and numpy, to check what it writes."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import onnxruntime
from numpy.typing import NDArray
from tokenizers import Tokenizer


class OnnxTextModel:
    """The exported folder, ready to write."""

    def __init__(self, folder: Path, threads: int = 2) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        self._session = onnxruntime.InferenceSession(
            str(folder / "model.onnx"), options, providers=["CPUExecutionProvider"]
        )
        self._tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        config = json.loads((folder / "genai_config.json").read_text(encoding="utf-8"))["model"]
        self._end: int = config["eos_token_id"]
        decoder = config["decoder"]
        self._past_shape = (1, decoder["num_key_value_heads"], 0, decoder["head_size"])
        self._names = [f"{layer}.{kind}" for layer in range(decoder["num_hidden_layers"]) for kind in ("key", "value")]

    def encode(self, text: str) -> list[int]:
        """Return the tokens of a prompt, the start token included."""
        return list(self._tokenizer.encode(text).ids)

    def decode(self, tokens: list[int]) -> str:
        """Return the text of tokens, the end token left out."""
        return str(self._tokenizer.decode([token for token in tokens if token != self._end]))

    def greedy(self, prompt: list[int], count: int) -> list[int]:
        """Continue the prompt by the likeliest token, at most `count` times and up to the end token."""
        past: dict[str, NDArray[np.float32]] = {
            f"past_key_values.{name}": np.zeros(self._past_shape, np.float32) for name in self._names
        }
        written: list[int] = []
        fresh = prompt
        while len(written) < count and fresh != [self._end]:
            mask = np.ones((1, len(prompt) + len(written)), np.int64)
            feed = {"input_ids": np.array([fresh], np.int64), "attention_mask": mask, **past}
            logits, *present = self._session.run(None, feed)
            fresh = [int(logits[0, -1].argmax())]
            written += fresh
            past = {f"past_key_values.{name}": value for name, value in zip(self._names, present, strict=True)}
        return written
