"""The runtime's own optimizer, here with those of its operators that the CPU has too: kept only where it profits."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest

from hordenode.library.contained import Limits
from hordenode.library.convert.fuse import FUSED_WEIGHTS, fuse_with_runtime
from hordenode.library.convert.graph_names import module_weights
from hordenode.library.convert.onnx_image import normalise
from tests.library.test_fuse import RUNTIME, SETTINGS, copied, fused, kinds, silent

ALWAYS, NEVER = -1000.0, 1.0  # by which part of its time a graph must be faster


def named(file: Path) -> set[str]:
    return {found.module for found in module_weights(onnx.load(file, load_external_data=False).graph)}


@pytest.fixture(scope="module")
def optimised(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """After our own fusions, as an import has it."""
    file = copied(tmp_path_factory.mktemp("optimised"))
    fused(file)
    modules = named(file)
    count = fuse_with_runtime(file, SETTINGS, Limits(), card=False, gain=ALWAYS)
    assert count == kinds(file).count("SkipLayerNormalization") > 0
    assert named(file) == modules
    return file


def test_it_answers_the_same(tmp_path: Path, optimised: Path) -> None:
    random = np.random.default_rng(1)
    before = RUNTIME.open(copied(tmp_path))
    feeds = {
        "sample": random.standard_normal((2, 4, 8, 12)),
        "timestep": np.full([size or 1 for size in before.inputs["timestep"].shape], 321),
        "encoder_hidden_states": random.standard_normal((2, 77, before.inputs["encoder_hidden_states"].shape[2] or 0)),
    }
    expected = before.run(feeds)
    np.testing.assert_allclose(RUNTIME.open(optimised).run(feeds), expected, atol=1e-5 * np.abs(expected).max())


def test_its_weights_lie_in_one_file_and_have_names(optimised: Path) -> None:
    assert {file.name for file in optimised.parent.iterdir()} == {"model.onnx", FUSED_WEIGHTS, "config.json"}
    assert normalise(optimised.parents[1], silent) == len(named(optimised))


def test_what_is_not_faster_is_left_alone(tmp_path: Path) -> None:
    file = copied(tmp_path)
    before = file.read_bytes()
    assert fuse_with_runtime(file, SETTINGS, Limits(), card=False, gain=NEVER) == 0
    assert file.read_bytes() == before
    assert {each.name for each in file.parent.iterdir()} == {"model.onnx", "config.json"}


def test_what_the_provider_has_no_kernel_for_is_left_alone(tmp_path: Path) -> None:
    file = copied(tmp_path, "vae_decoder")
    before = file.read_bytes()
    assert fuse_with_runtime(file, SETTINGS, Limits(), card=True, gain=ALWAYS) == 0
    assert file.read_bytes() == before
