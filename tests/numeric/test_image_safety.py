"""The safety model, with a real graph: one that calls bright pictures unsafe."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from hordenode.catalog import Catalog, ImageModel, SafetyModel, read_catalog
from hordenode.config import EngineSettings
from hordenode.engine.image.safety import Safety
from hordenode.engine.jobs import ImageJob, ImageResult, ModelFileError, Picture
from hordenode.engine.onnx_backend import OnnxBackend
from hordenode.engine.residency import OverBudget
from hordenode.engine.runtime import Runtime

SETTINGS = EngineSettings(threads=1, providers=("cpu",))
TINY = Path(__file__).parent / "goldens" / "image"


def classifier(folder: Path, labels: tuple[str, str] = ("normal", "nsfw")) -> Path:
    """Logits: 0 for the first label, twenty times the mean of the normalised picture for the second."""
    folder.mkdir()
    weights = numpy_helper.from_array(np.array([[0.0, 20.0]], np.float32), "w")
    graph = helper.make_graph(
        [
            helper.make_node("ReduceMean", ["pixel_values"], ["mean"], axes=[1, 2, 3], keepdims=0),
            helper.make_node("Unsqueeze", ["mean", "one"], ["column"]),
            helper.make_node("MatMul", ["column", "w"], ["logits"]),
        ],
        "bright",
        [helper.make_tensor_value_info("pixel_values", TensorProto.FLOAT, ["batch", 3, 8, 8])],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["batch", 2])],
        [weights, numpy_helper.from_array(np.array([1], np.int64), "one")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.save(model, folder / "model.onnx")
    (folder / "config.json").write_text(json.dumps({"id2label": {"0": labels[0], "1": labels[1]}}))
    (folder / "preprocessor_config.json").write_text('{"size": {"height": 8, "width": 8}}')
    return folder


def plain(value: int) -> Picture:
    pixels = np.full((64, 64, 3), value, np.uint8)
    pixels[::2] = value // 2
    return Picture(64, 64, pixels.tobytes(), 1)


def test_an_unsafe_picture_is_censored_only_when_asked(tmp_path: Path) -> None:
    safety = Safety(SafetyModel(path=classifier(tmp_path / "safety")), Runtime(SETTINGS))
    dark, bright = plain(20), plain(250)
    assert safety.checked(dark, censor=True).nsfw is False
    assert safety.checked(dark, censor=True).rgb == dark.rgb
    seen = safety.checked(bright, censor=False)
    assert (seen.nsfw, seen.censored, seen.rgb) == (True, False, bright.rgb)
    hidden = safety.checked(bright, censor=True)
    assert (hidden.nsfw, hidden.censored) == (True, True)
    assert np.frombuffer(hidden.rgb, np.uint8).std() < np.frombuffer(bright.rgb, np.uint8).std() / 4


def test_a_classifier_that_knows_nothing_unsafe_is_refused(tmp_path: Path) -> None:
    folder = classifier(tmp_path / "safety", ("cat", "dog"))
    with pytest.raises(ModelFileError, match=r"has only the labels cat, dog\. One must be of nsfw"):
        Safety(SafetyModel(path=folder), Runtime(SETTINGS))


def test_the_engine_checks_every_picture_when_models_toml_names_a_safety_model(tmp_path: Path) -> None:
    classifier(tmp_path / "safety")
    file = tmp_path / "models.toml"
    file.write_text('[safety."bright"]\npath = "safety"\nthreshold = 0.0\n')
    safety = read_catalog(file, tmp_path).safety
    tiny = {"tiny": ImageModel(name="tiny", path=TINY)}
    job = ImageJob("job", "tiny", "a", width=64, height=64, steps=1, seeds=(1, 2), censor_nsfw=True)
    checked = OnnxBackend(Catalog(image=tiny, safety=safety), SETTINGS).run(job, lambda progress: None)
    unchecked = OnnxBackend(Catalog(image=tiny), SETTINGS).run(job, lambda progress: None)
    assert isinstance(checked, ImageResult) and isinstance(unchecked, ImageResult)
    assert [each.censored for each in checked.images] == [True, True]
    assert [each.nsfw for each in unchecked.images] == [None, None]


@pytest.mark.parametrize(("budget", "size", "fits"), [(1000, 600, True), (500, 600, False)])
def test_the_safety_model_counts_in_the_memory_budget(tmp_path: Path, budget: int, size: int, fits: bool) -> None:
    safety = SafetyModel(name="bright", path=classifier(tmp_path / "safety"), vram_mb=size)
    catalog = Catalog(image={"tiny": ImageModel(name="tiny", path=TINY, vram_mb=450)}, safety={"bright": safety})
    backend = OnnxBackend(catalog, replace(SETTINGS, memory_mb=budget))
    job = ImageJob("job", "tiny", "a", width=64, height=64, steps=1, seeds=(1,))
    if not fits:
        with pytest.raises(OverBudget, match="'safety bright' needs about 600 MB"):
            backend.run(job, lambda progress: None)
        return
    for _ in range(2):  # each makes room for the other
        made = backend.run(job, lambda progress: None)
        assert isinstance(made, ImageResult) and made.images[0].nsfw is not None
        assert backend._residency.names == ("safety bright",)
