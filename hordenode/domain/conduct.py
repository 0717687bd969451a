"""What makes a worker suspicious (contract 8.2, 11). A node only writes it down, and spares its queue the worst."""

from __future__ import annotations

from hordenode.domain.entities import Kind
from hordenode.domain.matching import parameters_in_billions

SUSPICIOUS = 5  # reasons that make a user suspicious
MOST_PIXELS = 3072 * 3072
MOST_IMAGE_SPEED = 20_000_000  # pixelsteps per second
MOST_TEXT_SPEED = 150.0  # tokens per second, where the model's size does not say less
FEWEST_ABORTED = 20  # jobs without a result within an hour that are put up with of any worker
_TEXT_SPEEDS = ((70, 30.0), (14, 100.0), (8, 150.0))
_MIXTURE = 3  # mixtures of 8 experts compute a part of their parameters only
TOO_MANY_ABORTED = (
    "This worker was put into maintenance mode because too many of its jobs failed or took too long within an hour. "
    "Check its speed and its settings, then switch maintenance off."
)


def most_aborted(kind: Kind) -> int:
    """Jobs without a result within an hour that are put up with."""
    return 100 if kind is Kind.ALCHEMY else FEWEST_ABORTED


def too_fast(kind: Kind, model: str, speed: float) -> bool:
    """Whether nobody could have made the result so quickly. `speed` in things per second."""
    if kind is Kind.IMAGE:
        return speed > MOST_IMAGE_SPEED
    if kind is not Kind.TEXT:
        return False
    size = parameters_in_billions(model) or 0.0
    most = next((limit for bound, limit in _TEXT_SPEEDS if size >= bound), MOST_TEXT_SPEED)
    return speed > most * (_MIXTURE if "8x" in model.lower() else 1)
