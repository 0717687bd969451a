"""Damaged and hostile model files: the error names the file, the engine serves the next job, memory comes back."""

from __future__ import annotations

import gc
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import psutil
import pytest
from onnx import TensorProto, helper, numpy_helper

from hordenode.catalog import Catalog, ImageModel
from hordenode.config import EngineSettings
from hordenode.engine.engine import Engine
from hordenode.engine.image.pipeline import ImagePipeline
from hordenode.engine.jobs import EngineError, ImageJob, ImageResult, ModelFileError
from hordenode.engine.memory import give_back
from hordenode.engine.runtime import Runtime
from tests.support.aio import run

BASE = Path(__file__).parents[1] / "numeric" / "goldens" / "image"
SETTINGS = EngineSettings(threads=1, providers=("cpu",))
RUNTIME = Runtime(SETTINGS)
JOB = ImageJob("job", "tiny", "a", width=64, height=64, steps=2)


def truncate(folder: Path) -> None:
    file = folder / "unet" / "model.onnx"
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])


def garble(folder: Path) -> None:
    (folder / "unet" / "model.onnx").write_bytes(b"this is no protobuf" * 1000)


def empty(folder: Path) -> None:
    (folder / "unet" / "model.onnx").write_bytes(b"")


def remove(folder: Path) -> None:
    (folder / "unet" / "model.onnx").unlink()


def nan_weights(part: str) -> Callable[[Path], None]:
    def spoil(folder: Path) -> None:
        file = folder / part / "model.onnx"
        model = onnx.load(file)
        for weights in model.graph.initializer:
            if weights.data_type == TensorProto.FLOAT and len(weights.dims) > 1:
                values = numpy_helper.to_array(weights).copy()
                values.flat[0] = np.nan
                weights.CopyFrom(numpy_helper.from_array(values, weights.name))
        onnx.save(model, file)

    return spoil


def other_channels(folder: Path) -> None:
    config = {"latent_channels": 16, "scaling_factor": 1.0, "block_out_channels": [8, 8, 8, 8]}
    (folder / "vae_decoder" / "config.json").write_text(json.dumps(config))


def other_factor(folder: Path) -> None:
    config = {"latent_channels": 4, "scaling_factor": 1.0, "block_out_channels": [8, 8, 8]}
    (folder / "vae_decoder" / "config.json").write_text(json.dumps(config))


def huge(folder: Path) -> None:
    """A decoder that wants more memory than any machine has."""
    shape = helper.make_tensor("shape", TensorProto.INT64, [4], [1, 3, 2**24, 2**24])
    graph = helper.make_graph(
        [helper.make_node("ConstantOfShape", ["shape"], ["all"]), helper.make_node("ReduceMax", ["all"], ["sample"])],
        "huge",
        [helper.make_tensor_value_info("latent_sample", TensorProto.FLOAT, [1, 4, None, None])],
        [helper.make_tensor_value_info("sample", TensorProto.FLOAT, None)],
        [shape],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    (folder / "vae_decoder" / "model.onnx").write_bytes(model.SerializeToString())


def escaping(folder: Path) -> None:
    """Weights that are said to lie outside of the model's folder."""
    file = folder / "vae_decoder" / "model.onnx"
    model = onnx.load(file)
    weights = max(model.graph.initializer, key=lambda each: len(each.raw_data))
    size = len(weights.raw_data)
    (folder.parent / "secret").write_bytes(b"\0" * size)
    weights.ClearField("raw_data")
    weights.data_location = TensorProto.EXTERNAL
    for key, value in (("location", "../../secret"), ("offset", "0"), ("length", str(size))):
        weights.external_data.add(key=key, value=value)
    file.write_bytes(model.SerializeToString())


def transformer(folder: Path) -> None:
    (folder / "unet").rename(folder / "transformer")


CASES = {
    "truncated": (truncate, "unet"),
    "garbage": (garble, "unet"),
    "empty": (empty, "unet"),
    "missing": (remove, "unet"),
    "NaN in the UNet": (nan_weights("unet"), "unet"),
    "NaN in the decoder": (nan_weights("vae_decoder"), "vae_decoder"),
    "NaN in the text encoder": (nan_weights("text_encoder"), "text_encoder"),
    "another model's latents": (other_channels, "unet"),
    "another model's scale": (other_factor, "vae_decoder"),
    "more memory than there is": (huge, "vae_decoder"),
    "a path out of the folder": (escaping, "vae_decoder"),
    "a diffusion transformer": (transformer, "transformer"),
}


def spoiled(folder: Path, spoil: Callable[[Path], None]) -> Path:
    shutil.copytree(BASE, folder)
    spoil(folder)
    return folder


@pytest.mark.parametrize("resident", [False, True], ids=["in memory", "on the device"])
@pytest.mark.parametrize("case", CASES)
def test_a_bad_model_is_refused_by_the_name_of_its_file(tmp_path: Path, case: str, resident: bool) -> None:
    spoil, part = CASES[case]
    folder = spoiled(tmp_path / "model", spoil)
    with pytest.raises(EngineError) as caught:
        ImagePipeline(ImageModel(path=folder), RUNTIME, resident=resident).draw(JOB, lambda progress: None)
    assert str(folder / part) in str(caught.value)


def test_the_engine_serves_the_next_job(tmp_path: Path) -> None:
    bad = ImageModel(name="bad", path=spoiled(tmp_path / "bad", nan_weights("unet")))
    good = ImageModel(name="good", path=BASE)

    async def main() -> None:
        engine = Engine(Catalog(image={"bad": bad, "good": good}), SETTINGS)
        await engine.start()
        try:
            with pytest.raises(ModelFileError):
                await engine.generate(ImageJob("1", "bad", "a", width=64, height=64, steps=2))
            made = await engine.generate(ImageJob("2", "good", "a", width=64, height=64, steps=2))
            assert isinstance(made, ImageResult) and len(made.images) == 1
        finally:
            await engine.close()

    run(main())


def test_memory_comes_back_after_failures(tmp_path: Path) -> None:
    folder = spoiled(tmp_path / "model", nan_weights("vae_decoder"))
    seen = []
    for _ in range(12):
        with pytest.raises(ModelFileError):
            ImagePipeline(ImageModel(path=folder), RUNTIME).draw(JOB, lambda progress: None)
        gc.collect()
        give_back()
        seen.append(psutil.Process().memory_info().rss)
    assert seen[-1] - seen[3] < 8 * 2**20  # the first ones fill what stays, such as the runtime's own tables
