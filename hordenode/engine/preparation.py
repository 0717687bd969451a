"""How a picture is made ready for a classifier or encoder: preprocessor_config.json in the layout of transformers."""

from __future__ import annotations

import msgspec
import numpy as np
from numpy.typing import NDArray
from PIL import Image


class Preparation(msgspec.Struct, frozen=True):
    """What matters of preprocessor_config.json."""

    size: int | dict[str, int] = 224
    image_mean: list[float] = msgspec.field(default_factory=lambda: [0.5] * 3)
    image_std: list[float] = msgspec.field(default_factory=lambda: [0.5] * 3)

    @property
    def side(self) -> int:
        """Of the square that the model sees."""
        return self.size if isinstance(self.size, int) else next(iter(self.size.values()))

    def prepared(self, image: Image.Image) -> NDArray[np.float32]:
        """[1, 3, side, side], normalised."""
        square = image.convert("RGB").resize((self.side, self.side), Image.Resampling.BILINEAR)
        small = np.asarray(square, np.float32) / 255
        mean, std = np.array(self.image_mean, np.float32), np.array(self.image_std, np.float32)
        return np.asarray((small - mean) / std, np.float32).transpose(2, 0, 1)[None]
