"""The shipped models keep to the file limits and do what their card says."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from PIL import Image

from hordenode.demo.eval_image import MODEL, RELATIONS, Relation, Single, holds, is_shape
from hordenode.demo.eval_prompts import prompts
from hordenode.demo.eval_text import answer, tell
from hordenode.demo.onnx_image import OnnxImageModel
from hordenode.demo.onnx_text import OnnxTextModel
from hordenode.demo.paraphrases import PARAPHRASES
from hordenode.demo.texts import EVERY_TOPIC

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
    assert sum(sizes) <= 60 * MEGABYTE


@pytest.mark.parametrize("relation", RELATIONS[:2], ids=lambda relation: relation.prompt)
def test_relations_are_drawn(image: OnnxImageModel, relation: Relation) -> None:
    pictures = image.draw(relation.prompt, seeds=[1, 2, 3])
    assert sum(holds(picture, relation) for picture in pictures) >= 2


@pytest.mark.parametrize(
    "single", [Single("green", "circle"), Single("red", "triangle")], ids=lambda single: single.prompt
)
def test_colours_and_shapes_are_drawn(image: OnnxImageModel, single: Single) -> None:
    assert sum(is_shape(picture, single) for picture in image.draw(single.prompt, seeds=[1, 2, 3])) >= 2


def test_words_that_the_model_does_not_know_are_passed_over(image: OnnxImageModel) -> None:
    single = Single("blue", "square")
    assert (
        sum(is_shape(p, single) for p in image.draw(f"masterpiece, 8k, {single.prompt}, trending", seeds=[1, 2, 3]))
        >= 2
    )


def test_same_seed_same_picture(image: OnnxImageModel) -> None:
    first, second = (image.draw("a yellow circle", seeds=[7], steps=2) for _ in range(2))
    assert (first == second).all()


def test_a_question_is_answered(text: OnnxTextModel) -> None:
    tokens = text.greedy(text.encode("User: What is kudos?\nAssistant:"), 60)
    assert text.decode(tokens).startswith(" Kudos ")
    assert len(tokens) < 60


def test_questions_in_new_words_are_answered(text: OnnxTextModel) -> None:
    answers = {topic.name: topic.answers for topic in EVERY_TOPIC}
    asked = {name: questions[1] for name, questions in list(PARAPHRASES.items())[::2]}
    right = [answer(text, question) in answers[name] for name, question in asked.items()]
    assert len(right) == 16
    assert sum(right) >= 14


def test_stories_keep_to_their_names_and_themes(text: OnnxTextModel) -> None:
    told = tell(text, 12)
    assert sum(story.consistent for story in told) >= 9
    assert sum(story.on_theme for story in told) >= 7


def test_a_story_is_told(text: OnnxTextModel) -> None:
    told = text.decode(text.greedy(text.encode("Once upon a time"), 200))
    assert told.endswith(".")
    assert told.count(".") >= 5


def test_enlarged_drawings_are_nearer_to_large_ones_than_interpolated_ones() -> None:
    session = onnxruntime.InferenceSession(str(MODELS / "upscaler" / "model.onnx"), providers=["CPUExecutionProvider"])
    errors = []
    for picture, _ in prompts(12):
        small = Image.fromarray(picture.pixels).resize((128, 128), Image.Resampling.BOX)
        pixels = np.asarray(small, np.float32).transpose(2, 0, 1)[None] / 255
        learned = session.run(None, {"input": pixels})[0][0].transpose(1, 2, 0).clip(0, 1) * 255
        bicubic = np.asarray(small.resize((256, 256), Image.Resampling.BICUBIC), np.float32)
        errors.append([float(np.square(made - picture.pixels).mean()) for made in (learned, bicubic)])
    learned_error, bicubic_error = np.mean(errors, axis=0)
    assert learned_error < bicubic_error / 2


WEIGHTS = [*(MODELS / name / "model.onnx" for name in ("upscaler", "text")), *MODEL.rglob("model.onnx")]


@pytest.mark.parametrize("file", sorted(WEIGHTS), ids=lambda file: file.parent.name)
def test_weights_keep_their_names_so_that_training_can_go_on_from_them(file: Path) -> None:
    stored = onnx.load(str(file)).graph.initializer
    names = [weight.name for weight in stored if weight.name.endswith((".fp16", ".int8"))]
    assert len(names) > 10
    assert not any(name.startswith("onnx::") for name in names)
