"""Draws held-out prompts with the exported image model and has a detector, itself measured, judge the pictures."""

from __future__ import annotations

import argparse
from dataclasses import fields
from pathlib import Path

import numpy as np
import onnxruntime
from numpy.typing import NDArray
from PIL import Image

from hordenode.demo.draw import HELD_OUT_SEED, draw_picture
from hordenode.demo.eval_image import MODEL
from hordenode.demo.onnx_image import OnnxImageModel
from hordenode.demo.palette import Picture, Pixels
from hordenode.demo.sightings import SIDE, Sighting, Verdict, judged, sightings


class Judge:
    """The exported detector, ready to look."""

    def __init__(self, file: Path) -> None:
        self._session = onnxruntime.InferenceSession(str(file), providers=["CPUExecutionProvider"])

    def see(self, pixels: Pixels) -> list[Sighting]:
        """Return what is in a picture [H, W, 3]."""
        return sightings(self._session.run(None, {"pixels": scaled(pixels)})[0][0])


def scaled(pixels: Pixels) -> NDArray[np.float32]:
    """Turn a picture [H, W, 3] into what detectors look at, [1, 3, 64, 64] in -1..1."""
    small = Image.fromarray(pixels).resize((SIDE, SIDE), Image.Resampling.BILINEAR)
    result: NDArray[np.float32] = np.asarray(small, np.float32).transpose(2, 0, 1)[None] / 127.5 - 1
    return result


def prompts(count: int) -> list[tuple[Picture, str]]:
    """Return held-out pictures that show something countable, each with one of its captions."""
    result: list[tuple[Picture, str]] = []
    seed = HELD_OUT_SEED
    while len(result) < count:
        picture = draw_picture(seed, SIDE * 4)
        seed += 1
        if picture.items:
            result.append((picture, picture.captions[0]))
    return result


def summed(verdicts: list[Verdict]) -> dict[str, tuple[int, int]]:
    """Add verdicts up, name by name."""
    return {
        field.name: (
            sum(getattr(verdict, field.name)[0] for verdict in verdicts),
            sum(getattr(verdict, field.name)[1] for verdict in verdicts),
        )
        for field in fields(Verdict)
    }


def report(title: str, verdicts: list[Verdict]) -> None:
    """Print the shares of what is right."""
    parts = (
        f"{name} {right}/{total} = {right / max(1, total):.1%}" for name, (right, total) in summed(verdicts).items()
    )
    print(f"{title}: {', '.join(parts)}", flush=True)


def report_the_judge(judge: Judge, asked: list[tuple[Picture, str]]) -> None:
    """Print what the judge says of true drawings, and of each prompt with another one's drawing."""
    seen = [judge.see(picture.pixels) for picture, _ in asked]
    report("true drawings", [judged(*prompt, true) for prompt, true in zip(asked, seen, strict=True)])
    report("wrong drawings", [judged(*prompt, seen[index - 1]) for index, prompt in enumerate(asked)])


def main() -> None:
    """Run the measurement from the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("judge", type=Path, help="judge.onnx of the training folder")
    parser.add_argument("--model", type=Path, default=MODEL, help="folder of the exported image model")
    parser.add_argument("--prompts", type=int, default=200, help="how many prompts to draw")
    parser.add_argument("--steps", type=int, default=20, help="denoising steps")
    parser.add_argument("--guidance", type=float, default=5.0, help="classifier-free guidance scale")
    options = parser.parse_args()
    judge, asked = Judge(options.judge), prompts(options.prompts)
    report_the_judge(judge, asked)
    model = OnnxImageModel(options.model)
    verdicts = []
    for seed, (picture, caption) in enumerate(asked):
        drawn = model.draw(caption, [seed], options.steps, options.guidance)[0]
        verdicts.append(judged(picture, caption, judge.see(drawn)))
        if (seed + 1) % 25 == 0:
            report(f"{seed + 1} prompts", verdicts)


if __name__ == "__main__":
    main()
