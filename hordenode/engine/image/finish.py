"""From what a model drew to the picture that was asked for: enlarged, brought to size, with what was kept of a source."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from hordenode.engine.image.sources import Source, resized
from hordenode.engine.jobs import ImageJob, Picture

Pixels = NDArray[np.uint8]
Enlarge = Callable[[Pixels, Callable[[], None]], Pixels]  # by a whole factor; the function is called now and then


def finished(
    job: ImageJob, seed: int, drawn: Pixels, source: Source | None, enlarge: Enlarge | None, alive: Callable[[], None]
) -> Picture:
    """At the size asked for, with the source's own pixels wherever it was not to be painted.

    `alive` is called while the work takes long; raises what it raises.
    """
    made = drawn
    while enlarge is not None and (made.shape[0] < job.height or made.shape[1] < job.width):
        made = enlarge(made, alive)
    if made.shape[:2] != (job.height, job.width):
        made = resized(made, job.width, job.height)
    if source is not None and source.mask is not None:
        made = np.where(source.mask[..., None], made, source.rgb)
    return Picture(job.width, job.height, made.tobytes(), seed)
