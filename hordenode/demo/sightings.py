"""What a detector sees in a picture, and whether that is what a prompt asked for (numpy only)."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hordenode.demo.palette import COLOURS, Item, Picture
from hordenode.demo.things import KINDS
from hordenode.demo.wording import ABOVE, BELOW, INSIDE, LEFT, RIGHT

# One channel of the detector's map per kind and colour, in this order.
CHANNELS = tuple((kind, colour) for kind in KINDS for colour in COLOURS)
GRID = 16
SIDE = 64
THRESHOLD = 0.5
# Two centres nearer than this to each other (in fractions of the side) are one inside the other.
TOGETHER = 0.1

Map = NDArray[np.float32]


@dataclass(frozen=True)
class Sighting:
    """A thing that was seen: kind, colour and centre in fractions of the side."""

    kind: str
    colour: str
    x: float
    y: float


@dataclass(frozen=True)
class Verdict:
    """Right ones of all that a prompt named: things present, colours, counts, relations."""

    present: tuple[int, int] = (0, 0)
    colour: tuple[int, int] = (0, 0)
    count: tuple[int, int] = (0, 0)
    relation: tuple[int, int] = (0, 0)


def target_map(items: tuple[Item, ...]) -> Map:
    """Return the map [117, 16, 16] that the detector should give for these items: one at each centre."""
    result = np.zeros((len(CHANNELS), GRID, GRID), np.float32)
    for item in items:
        row, column = (min(GRID - 1, max(0, int(place * GRID))) for place in (item.y, item.x))
        result[CHANNELS.index((item.kind, item.colour)), row, column] = 1
    return result


def sightings(probability: Map) -> list[Sighting]:
    """Read a map [117, 16, 16] of probabilities: every peak over one half, weaker readings of the same thing left out."""
    padded = np.pad(probability, ((0, 0), (1, 1), (1, 1)))
    around = np.max([padded[:, y : y + GRID, x : x + GRID] for y in range(3) for x in range(3)], axis=0)
    peaks = np.argwhere((probability > THRESHOLD) & (probability == around))
    found: list[Sighting] = []
    for channel, row, column in sorted(peaks, key=lambda peak: -float(probability[tuple(peak)])):
        kind, colour = CHANNELS[channel]
        seen = Sighting(kind, colour, (column + 0.5) / GRID, (row + 0.5) / GRID)
        # The same colour a cell away in another channel is a second guess; inside one another, colours differ.
        if not any(other.colour == colour and _together(other, seen) for other in found):
            found.append(seen)
    return found


def judged(picture: Picture, caption: str, seen: list[Sighting]) -> Verdict:
    """Compare what was seen with what the caption asked for; the picture is the drawn one that the caption is about."""
    wanted = Counter((item.kind, item.colour) for item in picture.items)
    kinds = Counter(kind for kind, _ in wanted)
    present = colour = counted = 0
    for (kind, name), number in wanted.items():
        same_kind = [thing for thing in seen if thing.kind == kind]
        right = [thing for thing in same_kind if thing.colour == name]
        present += bool(same_kind)
        colour += bool(right)
        counted += len(right if kinds[kind] > 1 else same_kind) == number
    total = len(wanted)
    return Verdict((present, total), (colour, total), (counted, total), _relation(picture, caption, seen))


def relation_of(caption: str) -> str:
    """Return the relation that a caption names: 'above', 'left of', 'inside' (or a converse), or nothing."""
    spoken = sorted((*ABOVE, *BELOW, *LEFT, *RIGHT, *(word for word in INSIDE if word != "in")), key=len, reverse=True)
    return next((word for word in spoken if re.search(rf"\b{word}\b", caption)), "")


def _relation(picture: Picture, caption: str, seen: list[Sighting]) -> tuple[int, int]:
    relation = relation_of(caption)
    groups = list(dict.fromkeys((item.kind, item.colour) for item in picture.items))
    if not relation or len(groups) != 2:
        return 0, 0
    wanted, drawn = [], []
    for group in groups:
        wanted.append(_centre([(item.x, item.y) for item in picture.items if (item.kind, item.colour) == group]))
        places = [(thing.x, thing.y) for thing in seen if (thing.kind, thing.colour) == group]
        if not places:
            return 0, 1
        drawn.append(_centre(places))
    if relation in INSIDE:
        return int(bool(np.abs(drawn[0] - drawn[1]).max() <= TOGETHER)), 1
    axis = 1 if relation in ABOVE + BELOW else 0
    return int((wanted[0] - wanted[1])[axis] * (drawn[0] - drawn[1])[axis] > 0), 1


def _centre(places: list[tuple[float, float]]) -> NDArray[np.float64]:
    centre: NDArray[np.float64] = np.mean(places, axis=0)
    return centre


def _together(first: Sighting, second: Sighting) -> bool:
    return max(abs(first.x - second.x), abs(first.y - second.y)) <= TOGETHER
