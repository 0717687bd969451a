"""The safety model: an image classifier in ONNX that says whether a picture is not safe for work."""

from __future__ import annotations

from dataclasses import replace

import msgspec
import numpy as np
from PIL import Image, ImageFilter

from hordenode.catalog import SafetyModel
from hordenode.engine.files import read_json
from hordenode.engine.jobs import ModelFileError, Picture
from hordenode.engine.preparation import Preparation
from hordenode.engine.runtime import Runtime

UNSAFE = ("nsfw", "porn", "hentai", "sexy", "unsafe")
BLUR = 8  # part of the longer side that a censored picture is blurred by


class Labels(msgspec.Struct, frozen=True):
    """What matters of config.json, in the layout of transformers' image classifiers."""

    id2label: dict[str, str]


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
        nsfw = self.is_unsafe(_image(picture))
        if not (nsfw and censor):
            return replace(picture, nsfw=nsfw)
        blurred = _image(picture).filter(ImageFilter.GaussianBlur(max(picture.width, picture.height) / BLUR))
        return replace(picture, rgb=blurred.tobytes(), nsfw=True, censored=True)

    def is_unsafe(self, image: Image.Image) -> bool:
        """Whether the probability that it is unsafe reaches the threshold."""
        pixels = self._preparation.prepared(image)
        logits = self._session.run({"pixel_values": pixels})[0].astype(np.float64)
        likely = np.exp(logits - logits.max())
        return float(likely[self._unsafe].sum() / likely.sum()) >= self._threshold


def _image(picture: Picture) -> Image.Image:
    return Image.frombytes("RGB", (picture.width, picture.height), picture.rgb)
