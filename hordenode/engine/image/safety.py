"""The safety model: an image classifier in ONNX that says whether a picture is not safe for work."""

from __future__ import annotations

from dataclasses import replace

import msgspec
import numpy as np
from PIL import Image, ImageFilter

from hordenode.catalog import SafetyModel
from hordenode.engine.files import read_json
from hordenode.engine.jobs import ModelFileError, Picture
from hordenode.engine.runtime import Runtime

UNSAFE = ("nsfw", "porn", "hentai", "sexy", "unsafe")
BLUR = 8  # part of the longer side that a censored picture is blurred by


class Labels(msgspec.Struct, frozen=True):
    """What matters of config.json, in the layout of transformers' image classifiers."""

    id2label: dict[str, str]


class Preparation(msgspec.Struct, frozen=True):
    """What matters of preprocessor_config.json."""

    size: int | dict[str, int] = 224
    image_mean: list[float] = msgspec.field(default_factory=lambda: [0.5] * 3)
    image_std: list[float] = msgspec.field(default_factory=lambda: [0.5] * 3)

    @property
    def side(self) -> int:
        """Of the square that the classifier sees."""
        return self.size if isinstance(self.size, int) else next(iter(self.size.values()))


class Safety:
    """A loaded classifier."""

    def __init__(self, model: SafetyModel, runtime: Runtime) -> None:
        """Raises ModelFileError, also when no label says that it means unsafe pictures."""
        self._session = runtime.open(model.path / "model.onnx")
        self._session.require("pixel_values")
        self._preparation = read_json(model.path / "preprocessor_config.json", Preparation)
        labels = read_json(model.path / "config.json", Labels).id2label
        self._unsafe = [int(index) for index, label in labels.items() if label.lower() in UNSAFE]
        if not self._unsafe:
            names = ", ".join(labels.values())
            raise ModelFileError(
                model.path / "config.json", f"has only the labels {names}", f"One must be of {', '.join(UNSAFE)}."
            )
        self._threshold = model.threshold

    def checked(self, picture: Picture, *, censor: bool) -> Picture:
        """The picture with its verdict; replaced by a blurred one when it is unsafe and `censor` is set."""
        nsfw = self._score(picture) >= self._threshold
        if not (nsfw and censor):
            return replace(picture, nsfw=nsfw)
        blurred = _image(picture).filter(ImageFilter.GaussianBlur(max(picture.width, picture.height) / BLUR))
        return replace(picture, rgb=blurred.tobytes(), nsfw=True, censored=True)

    def _score(self, picture: Picture) -> float:
        """The probability that it is unsafe."""
        side = self._preparation.side
        small = np.asarray(_image(picture).resize((side, side), Image.Resampling.BILINEAR), np.float32) / 255
        mean, std = (
            np.array(values, np.float32) for values in (self._preparation.image_mean, self._preparation.image_std)
        )
        logits = self._session.run({"pixel_values": ((small - mean) / std).transpose(2, 0, 1)[None]})[0].astype(
            np.float64
        )
        likely = np.exp(logits - logits.max())
        return float(likely[self._unsafe].sum() / likely.sum())


def _image(picture: Picture) -> Image.Image:
    return Image.frombytes("RGB", (picture.width, picture.height), picture.rgb)
