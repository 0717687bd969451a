"""strip_background: a graph that says for each pixel how much it belongs to the subject; the rest becomes transparent."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from PIL import Image, ImageChops

from hordenode.catalog import AlchemyModel
from hordenode.engine.alchemy.options import Options
from hordenode.engine.files import read_json
from hordenode.engine.jobs import ModelFileError
from hordenode.engine.preparation import Preparation
from hordenode.engine.runtime import Runtime


class Background:
    """A loaded segmenter of the U2-Net kind: model.onnx and preprocessor_config.json; its first output is the mask."""

    def __init__(self, model: AlchemyModel, runtime: Runtime) -> None:
        """Raises ModelFileError."""
        self._session = runtime.open(model.path / "model.onnx")
        self._preparation = read_json(model.path / "preprocessor_config.json", Preparation)

    def apply(self, image: Image.Image, options: Options, done: Callable[[int, int], None]) -> Image.Image:
        """The picture with what is not the subject transparent."""
        name = next(iter(self._session.inputs))
        made = np.asarray(self._session.run({name: self._preparation.prepared(image)}), np.float32).squeeze()
        done(1, 1)
        if made.ndim != 2:
            raise ModelFileError(
                self._session.file, f"made a mask of shape {made.shape}", "It must make [1, 1, height, width]."
            )
        # Graphs end with or without a sigmoid and stretch what they find differently: the range is the whole of it.
        low, high = float(made.min()), float(made.max())
        scaled = (made - low) / (high - low) if high > low else np.ones_like(made)
        mask = Image.fromarray((scaled * 255).round().astype(np.uint8)).resize(image.size, Image.Resampling.BILINEAR)
        cut = image.convert("RGBA")
        cut.putalpha(ImageChops.multiply(cut.getchannel("A"), mask))
        return cut
