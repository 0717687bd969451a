"""The form `nsfw`: what the safety model says of a picture."""

from __future__ import annotations

from collections.abc import Callable

from PIL import Image

from hordenode.engine.alchemy.options import Options
from hordenode.engine.image.safety import Safety


class Nsfw:
    """The safety model as a form."""

    def __init__(self, safety: Safety) -> None:
        self._safety = safety

    def apply(self, image: Image.Image, options: Options, done: Callable[[int, int], None]) -> bool:
        """Whether the picture is not safe for work."""
        unsafe = self._safety.is_unsafe(image)
        done(1, 1)
        return unsafe
