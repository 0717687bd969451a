"""The form `aesthetic`: a graph that gives a picture a mark, 0 to 10."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from PIL import Image

from hordenode.catalog import AlchemyModel
from hordenode.engine.alchemy.options import Options
from hordenode.engine.files import read_json
from hordenode.engine.jobs import ModelFileError
from hordenode.engine.preparation import Preparation
from hordenode.engine.runtime import Runtime

BEST = 10.0


class Scorer:
    """A loaded judge: model.onnx and preprocessor_config.json; its output is one number."""

    def __init__(self, model: AlchemyModel, runtime: Runtime) -> None:
        """Raises ModelFileError."""
        self._session = runtime.open(model.path / "model.onnx")
        self._session.require("pixel_values")
        self._preparation = read_json(model.path / "preprocessor_config.json", Preparation)

    def apply(self, image: Image.Image, options: Options, done: Callable[[int, int], None]) -> float:
        """The mark. Raises ModelFileError when the graph makes more than one number."""
        made = np.asarray(self._session.run({"pixel_values": self._preparation.prepared(image)}))
        done(1, 1)
        if made.size != 1:
            raise ModelFileError(self._session.file, f"made the shape {made.shape}", "It must make one number.")
        return round(min(max(float(made.ravel()[0]), 0.0), BEST), 4)
