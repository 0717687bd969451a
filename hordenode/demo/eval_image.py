"""Measures how well the exported image model follows relations, colours and shapes (onnxruntime and numpy only)."""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from hordenode.demo.onnx_image import OnnxImageModel
from hordenode.demo.palette import COLOURS, Pixels

MODEL = Path(__file__).parent / "models" / "image"

# A pixel has a colour if it is nearer than this to it (Euclidean, 0..255 per channel).
NEAR = 80.0
# A colour is present if it covers this share of the picture.
PRESENT = 0.01


@dataclass(frozen=True)
class Relation:
    """A prompt, and the two colours of which the first must lie above (axis 0) or left of (axis 1) the second."""

    prompt: str
    first: str
    second: str
    axis: int


@dataclass(frozen=True)
class Single:
    """A prompt for one shape of one colour."""

    colour: str
    kind: str

    @property
    def prompt(self) -> str:
        """The words for it."""
        return f"{'an' if self.colour[0] in 'aeiou' else 'a'} {self.colour} {self.kind}"


RELATIONS = (
    Relation("a red circle above a blue square", "red", "blue", 0),
    Relation("a blue square above a red circle", "blue", "red", 0),
    Relation("a red circle below a blue square", "blue", "red", 0),
    Relation("a blue square below a red circle", "red", "blue", 0),
    Relation("a green triangle above an orange circle", "green", "orange", 0),
    Relation("a yellow square below a purple triangle on a white background", "purple", "yellow", 0),
    Relation("a red square left of a green circle", "red", "green", 1),
    Relation("a blue triangle right of a yellow circle", "yellow", "blue", 1),
    Relation("a purple circle to the left of a red triangle on a white background", "purple", "red", 1),
)
SINGLES = tuple(
    Single(colour, kind)
    for colour in ("red", "green", "blue", "yellow", "purple", "black")
    for kind in ("circle", "square", "triangle")
)
SCENES = (
    "a red house in a green meadow on a sunny day",
    "a white boat on the sea at sunset",
    "mountains and a moon in the desert at night",
    "a pine tree in the snow by day",
    "a blue house and a tree in the snow at night",
    "a sun and clouds in a green meadow by day",
    "a pink tree in the desert at sunset",
    "a yellow house in a meadow in fog",
    "a red boat and a moon on the sea at night",
    "a black circle on a yellow background",
)


def mask_of(pixels: Pixels, colour: str) -> NDArray[np.bool_]:
    """Return where in [H, W, 3] the colour is, [H, W]: the nearest of our colours, and near enough."""
    palette = np.array(list(COLOURS.values()), np.float64)
    distance = np.linalg.norm(pixels[:, :, None].astype(np.float64) - palette, axis=-1)
    index = list(COLOURS).index(colour)
    mask: NDArray[np.bool_] = (distance.argmin(axis=-1) == index) & (distance[:, :, index] < NEAR)
    return mask


def holds(pixels: Pixels, relation: Relation) -> bool:
    """Tell whether both colours are there and the first one's centroid lies before the second one's."""
    first, second = mask_of(pixels, relation.first), mask_of(pixels, relation.second)
    if min(first.mean(), second.mean()) < PRESENT:
        return False
    return bool(np.nonzero(first)[relation.axis].mean() < np.nonzero(second)[relation.axis].mean())


def kind_of(mask: NDArray[np.bool_]) -> str:
    """Guess the shape from how much of its bounding box it fills: square 1, circle 0.79, triangle 0.5."""
    rows, columns = np.nonzero(mask)
    box = (np.ptp(rows) + 1) * (np.ptp(columns) + 1)
    filled = len(rows) / box
    return "square" if filled > 0.9 else "circle" if filled > 0.66 else "triangle"


def is_shape(pixels: Pixels, single: Single) -> bool:
    """Tell whether the picture shows the colour, in that shape."""
    mask = mask_of(pixels, single.colour)
    return bool(mask.mean() >= PRESENT) and kind_of(mask) == single.kind


def evaluate(model: OnnxImageModel, seeds: list[int], steps: int, guidance: float) -> list[Pixels]:
    """Print one line per prompt; returns the pictures [B, H, W, 3] of every prompt for a sheet."""
    rows = []
    for relation in RELATIONS:
        pictures = model.draw(relation.prompt, seeds, steps, guidance)
        print(f"{sum(holds(p, relation) for p in pictures):3d}/{len(seeds)}  {relation.prompt}", flush=True)
        rows.append(pictures)
    few, right = seeds[:3], 0
    for single in SINGLES:
        pictures = model.draw(single.prompt, few, steps, guidance)
        right += sum(is_shape(p, single) for p in pictures)
    print(f"{right:3d}/{len(few) * len(SINGLES)}  single shapes of the right colour and kind", flush=True)
    return rows


def sheet(rows: list[Pixels]) -> Image.Image:
    """Lay pictures out, one row of them per prompt."""
    return Image.fromarray(np.concatenate([np.concatenate(list(row), axis=1) for row in rows], axis=0))


def main() -> None:
    """Run the measurement from the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", type=Path, default=MODEL, help="folder of the exported image model")
    parser.add_argument("--seeds", type=int, default=10, help="pictures per prompt")
    parser.add_argument("--steps", type=int, default=20, help="denoising steps")
    parser.add_argument("--guidance", type=float, default=5.0, help="classifier-free guidance scale")
    parser.add_argument("--sheet", type=Path, help="also write the pictures to this PNG file, one row per prompt")
    options = parser.parse_args()
    model, seeds = OnnxImageModel(options.model), list(range(options.seeds))
    rows = evaluate(model, seeds, options.steps, options.guidance)
    if options.sheet:
        rows += [model.draw(prompt, seeds, options.steps, options.guidance) for prompt in SCENES]
        sheet(rows).save(options.sheet)


if __name__ == "__main__":
    main()
