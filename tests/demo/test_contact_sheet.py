"""The sheet of pictures for the README."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from hordenode.demo.contact_sheet import COLUMNS, GAP, LABEL, LARGEST, PICTURE, PROMPTS, labelled_sheet, save_small


def test_a_sheet_of_24_shows_each_picture_in_its_place(tmp_path: Path) -> None:
    shades = [np.full((64, 64, 3), 10 * index, np.uint8) for index in range(len(PROMPTS))]
    sheet = labelled_sheet(shades, PROMPTS)
    assert len(PROMPTS) == len(set(PROMPTS)) == 24
    for index in range(len(PROMPTS)):
        left = GAP + index % COLUMNS * (PICTURE + GAP)
        top = GAP + index // COLUMNS * (PICTURE + LABEL + GAP)
        assert sheet.getpixel((left + PICTURE // 2, top + PICTURE // 2)) == (10 * index,) * 3
        label = np.asarray(sheet.crop((left, top + PICTURE, left + PICTURE, top + PICTURE + LABEL)))
        assert label.min() < 100, "words"
        assert (label[:, -1] == 255).all(), "words end before the picture does"
    file = tmp_path / "sheet.webp"
    assert save_small(sheet, file) == file.stat().st_size <= LARGEST


def test_quality_falls_until_the_file_is_small(tmp_path: Path) -> None:
    noise = Image.fromarray(np.random.default_rng(0).integers(0, 256, (900, 900, 3), np.uint8))
    noise.save(tmp_path / "best.jpg", quality=88)
    size = save_small(noise, tmp_path / "noise.jpg")
    assert size < (tmp_path / "best.jpg").stat().st_size
    assert (tmp_path / "best.jpg").stat().st_size > LARGEST
