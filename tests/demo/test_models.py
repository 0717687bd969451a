"""The shipped models keep to the file limits and do what their card says."""

from __future__ import annotations

import pytest

from hordenode.demo.eval_image import MODEL, RELATIONS, Relation, holds
from hordenode.demo.onnx_image import OnnxImageModel
from hordenode.demo.onnx_text import OnnxTextModel

MODELS = MODEL.parent
MEGABYTE = 2**20


@pytest.fixture(scope="module")
def image() -> OnnxImageModel:
    return OnnxImageModel(MODEL)


@pytest.fixture(scope="module")
def text() -> OnnxTextModel:
    return OnnxTextModel(MODELS / "text")


def test_files_are_small() -> None:
    sizes = [file.stat().st_size for file in MODELS.rglob("*") if file.is_file()]
    assert max(sizes) <= 16 * MEGABYTE
    assert sum(sizes) <= 40 * MEGABYTE


@pytest.mark.parametrize("relation", RELATIONS[:2], ids=lambda relation: relation.prompt)
def test_relations_are_drawn(image: OnnxImageModel, relation: Relation) -> None:
    pictures = image.draw(relation.prompt, seeds=[1, 2, 3])
    assert sum(holds(picture, relation) for picture in pictures) >= 2


def test_same_seed_same_picture(image: OnnxImageModel) -> None:
    first, second = (image.draw("a yellow circle", seeds=[7], steps=2) for _ in range(2))
    assert (first == second).all()


def test_a_question_is_answered(text: OnnxTextModel) -> None:
    tokens = text.greedy(text.encode("User: What is kudos?\nAssistant:"), 60)
    assert text.decode(tokens).startswith(" Kudos ")
    assert len(tokens) < 60


def test_a_story_is_told(text: OnnxTextModel) -> None:
    told = text.decode(text.greedy(text.encode("Once upon a time"), 200))
    assert told.endswith(".")
    assert told.count(".") >= 5
