"""Pictures in and out of graphs that make pictures: [1, 3, h, w], colours in 0..1."""

from __future__ import annotations

import numpy as np
from PIL import Image

from hordenode.engine.alchemy.tiles import Pixels
from hordenode.engine.jobs import ModelFileError
from hordenode.engine.runtime import Session

LAYOUT = "It must take one picture as [1, 3, height, width] and make one of whole-numbered scale."


class PictureGraph:
    """A graph from picture to picture, whatever its input and output are called."""

    def __init__(self, session: Session) -> None:
        """Raises ModelFileError for a graph with another number of inputs, or another shape."""
        self._session = session
        if len(session.inputs) != 1:
            names = ", ".join(session.inputs)
            raise ModelFileError(session.file, f"has the inputs {names}", LAYOUT)
        self._name, tensor = next(iter(session.inputs.items()))
        if len(tensor.shape) != 4 or tensor.shape[1] not in (3, None):
            raise ModelFileError(session.file, f"takes the shape {tensor.shape}", LAYOUT)
        self.fixed: tuple[int, int] | None = None  # (height, width) where the graph takes only that
        if tensor.shape[2] is not None and tensor.shape[3] is not None:
            self.fixed = (tensor.shape[2], tensor.shape[3])

    def run(self, pixels: Pixels) -> Pixels:
        """[h, w, 3] to [h * s, w * s, 3]. Raises EngineError, ModelFileError for another shape."""
        made = np.asarray(self._session.run({self._name: pixels.transpose(2, 0, 1)[None]}), np.float32)
        height, width = pixels.shape[:2]
        fits = made.ndim == 4 and made.shape[1] == 3 and made.shape[2] % height == 0
        if not fits or made.shape[2] // height * width != made.shape[3]:
            raise ModelFileError(self._session.file, f"made the shape {made.shape} of {pixels.shape}", LAYOUT)
        return np.asarray(made[0].transpose(1, 2, 0), np.float32)


def to_pixels(image: Image.Image) -> Pixels:
    """RGB as [h, w, 3] in 0..1."""
    return np.asarray(np.asarray(image.convert("RGB"), np.float32) / 255, np.float32)


def to_image(pixels: Pixels) -> Image.Image:
    return Image.fromarray((np.clip(pixels, 0, 1) * 255).round().astype(np.uint8))
