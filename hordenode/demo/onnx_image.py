"""A minimal text-to-image run of the exported folder with onnxruntime and numpy, to measure what it draws."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import onnxruntime
from numpy.typing import NDArray
from tokenizers import Tokenizer

from hordenode.demo.palette import Pixels
from hordenode.demo.schedule import signal_and_noise, trailing_timesteps

Floats = NDArray[np.float32]


class OnnxImageModel:
    """The exported folder, ready to draw."""

    def __init__(self, folder: Path, threads: int = 2) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        self._text, self._unet, self._decoder = (
            onnxruntime.InferenceSession(str(folder / part / "model.onnx"), options, providers=["CPUExecutionProvider"])
            for part in ("text_encoder", "unet", "vae_decoder")
        )
        self._tokenizer = Tokenizer.from_file(str(folder / "tokenizer" / "tokenizer.json"))
        config = json.loads((folder / "tokenizer" / "tokenizer_config.json").read_text(encoding="utf-8"))
        self._length: int = config["model_max_length"]
        pad = self._tokenizer.token_to_id(config["pad_token"])
        if pad is None:
            raise ValueError("the tokenizer lacks its padding token")
        self._pad: int = pad
        unet = json.loads((folder / "unet" / "config.json").read_text(encoding="utf-8"))
        self._shape = (unet["in_channels"], unet["sample_size"], unet["sample_size"])

    def encode(self, prompt: str) -> Floats:
        """Return the states [1, L, C] of a prompt."""
        ids = self._tokenizer.encode(prompt).ids
        if len(ids) > self._length:
            ids = [*ids[: self._length - 1], ids[-1]]
        padded = ids + [self._pad] * (self._length - len(ids))
        states: Floats = self._text.run(None, {"input_ids": np.array([padded], np.int64)})[0]
        return states

    def draw(self, prompt: str, seeds: list[int], steps: int = 20, guidance: float = 5.0) -> Pixels:
        """Draw one picture per seed with Euler's method on trailing timesteps; returns uint8 [B, H, W, 3]."""
        count = len(seeds)
        text = np.repeat(np.concatenate([self.encode(""), self.encode(prompt)]), count, axis=0)
        sample = np.stack([np.random.default_rng(seed).standard_normal(self._shape, np.float32) for seed in seeds])
        signal, noise = signal_and_noise()
        times = trailing_timesteps(steps)
        for index, time in enumerate(times):
            empty, full = np.split(self._predict(np.concatenate([sample, sample]), int(time), text), 2)
            velocity = empty + guidance * (full - empty)
            picture = signal[time] * sample - noise[time] * velocity
            rest = signal[time] * velocity + noise[time] * sample
            if index + 1 < steps:
                after = times[index + 1]
                sample = (signal[after] * picture + noise[after] * rest).astype(np.float32)
        pixels: Floats = self._decoder.run(None, {"latent_sample": picture.astype(np.float32)})[0]
        return np.round((pixels.transpose(0, 2, 3, 1) + 1) * 127.5).clip(0, 255).astype(np.uint8)

    def _predict(self, sample: Floats, time: int, text: Floats) -> Floats:
        feed = {"sample": sample, "timestep": np.array([time], np.float32), "encoder_hidden_states": text}
        velocity: Floats = self._unet.run(None, feed)[0]
        return velocity
