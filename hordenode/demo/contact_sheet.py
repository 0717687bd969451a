"""Draws the picture of 24 prompts that the README shows: `python -m hordenode.demo.contact_sheet SHEET.webp`."""

from __future__ import annotations

import argparse
import textwrap
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from hordenode.demo.eval_image import MODEL
from hordenode.demo.onnx_image import OnnxImageModel
from hordenode.demo.palette import Pixels

PROMPTS = (
    "a red circle above a blue square",
    "a blue square above a red circle",
    "three yellow stars",
    "a green heart inside a white square on a black background",
    "four purple triangles",
    "a big orange circle",
    "a red house in a green meadow on a sunny day",
    "a white boat on the sea at sunset",
    "two houses in the snow at night",
    "mountains and the moon in the desert at night",
    "a yellow car on a road by day",
    "a black cat in the snow",
    "three balloons over a meadow in the morning",
    "a person in red and a tree in autumn",
    "pine trees and a river in summer",
    "a blue boat on the sea in the rain",
    "hills and clouds in a meadow by day",
    "a pink tree in spring",
    "a red house, watercolour",
    "a white boat at sea, pixel art",
    "a black cat left of a yellow house, outline",
    "a green car, pixel art",
    "two pink hearts in watercolour",
    "a balloon above mountains at sunset in outlines",
)
COLUMNS = 6
PICTURE, LABEL, GAP = 208, 36, 6
WORDS_WIDE = 30
LARGEST = 400 * 1024
QUALITIES = (88, 80, 70, 60, 50)


def labelled_sheet(pictures: list[Pixels], labels: tuple[str, ...]) -> Image.Image:
    """Lay pictures [H, W, 3] out in rows of six, with a label below each."""
    rows = -(-len(pictures) // COLUMNS)
    wide, high = PICTURE + GAP, PICTURE + LABEL + GAP
    sheet = Image.new("RGB", (COLUMNS * wide + GAP, rows * high + GAP), "white")
    pen, font = ImageDraw.Draw(sheet), ImageFont.load_default(12)
    for index, (pixels, label) in enumerate(zip(pictures, labels, strict=True)):
        left, top = GAP + index % COLUMNS * wide, GAP + index // COLUMNS * high
        sheet.paste(Image.fromarray(pixels).resize((PICTURE, PICTURE), Image.Resampling.LANCZOS), (left, top))
        lines = "\n".join(textwrap.wrap(label, WORDS_WIDE)[:2])
        pen.multiline_text((left, top + PICTURE + 3), lines, fill="black", font=font, spacing=2)
    return sheet


def save_small(sheet: Image.Image, file: Path) -> int:
    """Write the sheet in the best quality that keeps it under 400 KiB; returns its size in bytes."""
    for quality in QUALITIES:
        sheet.save(file, quality=quality)
        if file.stat().st_size <= LARGEST:
            break
    return file.stat().st_size


def main() -> None:
    """Draw the sheet from the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("sheet", type=Path, help="file to write, .webp or .jpg")
    parser.add_argument("--model", type=Path, default=MODEL, help="folder of the exported image model")
    parser.add_argument("--seed", type=int, default=1, help="the same for every prompt")
    options = parser.parse_args()
    model = OnnxImageModel(options.model)
    pictures = [model.draw(prompt, [options.seed])[0] for prompt in PROMPTS]
    print(f"{options.sheet}: {save_small(labelled_sheet(pictures, PROMPTS), options.sheet)} bytes")


if __name__ == "__main__":
    main()
