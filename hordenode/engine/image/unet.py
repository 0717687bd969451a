"""The UNet of the Stable Diffusion layout, with classifier-free guidance."""

from __future__ import annotations

import numpy as np

from hordenode.engine.image.denoiser import Latent, Predict
from hordenode.engine.image.prompt import States
from hordenode.engine.jobs import ModelFileError
from hordenode.engine.runtime import Array, Session

INPUTS = ("sample", "timestep", "encoder_hidden_states")


class Unet:
    """A loaded UNet. The timestep's type and rank differ between exports: the graph says them."""

    def __init__(self, session: Session) -> None:
        session.require(*INPUTS)
        for name in session.inputs:
            if name not in INPUTS:
                raise ModelFileError(
                    session.file,
                    f"wants an input '{name}'",
                    "It belongs to a family that this engine does not run yet.",
                )
        self._session = session
        self._output = next(iter(session.outputs))
        self._timestep = session.inputs["timestep"]

    def guided(self, empty: States, prompt: States, scale: float) -> Predict:
        """Predictions steered by `prompt` [1, L, C] away from `empty` (Ho & Salimans 2022).

        One run does both halves; scale 1 needs the prompt alone.
        """
        both = scale != 1.0
        bound = self._session.bind(self._output)
        bound.keep("encoder_hidden_states", np.concatenate([empty, prompt]) if both else prompt)

        def predict(x: Latent, timestep: float) -> Latent:
            sample = np.concatenate([x, x]) if both else x
            made = bound.run({"sample": sample, "timestep": self._time(timestep)}).astype(np.float32)
            if not both:
                return made
            without, with_prompt = np.split(made, 2)
            return without + np.float32(scale) * (with_prompt - without)

        return predict

    def _time(self, timestep: float) -> Array:
        whole = np.issubdtype(self._timestep.dtype, np.integer)
        value = np.array(round(timestep) if whole else timestep, self._timestep.dtype)
        return value.reshape((1,) * len(self._timestep.shape))
