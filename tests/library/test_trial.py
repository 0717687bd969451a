"""A model's first run happens elsewhere: what it does there harms nobody, and is told by the name of its folder."""

from __future__ import annotations

import shutil
from pathlib import Path

import psutil
import pytest

from hordenode.catalog import PACKAGE, ImageModel, TextModel
from hordenode.config import EngineSettings
from hordenode.library.contained import Limits, limits_for
from hordenode.library.errors import LibraryError
from hordenode.library.trial import try_out
from tests.library import bad_graphs

SETTINGS = EngineSettings(threads=1, providers=("cpu",))
DEMO = PACKAGE / "demo" / "models" / "text"
PICTURES = Path(__file__).parents[1] / "numeric" / "goldens" / "image"


def refusal(folder: Path, limits: Limits) -> str:
    """What a trial says; no process is left of it."""
    with pytest.raises(LibraryError) as refused:
        try_out(TextModel(name="bad", path=folder), SETTINGS, limits)
    assert str(folder) in str(refused.value)
    assert not [each for each in psutil.Process().children() if "multiprocessing.spawn" in " ".join(each.cmdline())]
    return str(refused.value)


def test_good_models_run_with_a_stopwatch() -> None:
    text = try_out(TextModel(name="demo", path=DEMO), SETTINGS, limits_for(DEMO))
    assert (text.provider, text.unit) == ("cpu", "tokens") and text.count >= 1 and text.run_s > 0
    image = try_out(ImageModel(name="tiny", path=PICTURES), SETTINGS, limits_for(PICTURES))
    assert (image.provider, image.unit, image.count) == ("cpu", "steps", 2)


def test_a_graph_that_never_ends_is_stopped(tmp_path: Path) -> None:
    words = refusal(bad_graphs.endless(tmp_path / "m"), Limits(seconds=4))
    assert "did not finish" in words and "--timeout" in words


def test_a_graph_that_takes_all_memory_meets_the_limit(tmp_path: Path) -> None:
    before = psutil.virtual_memory().available
    words = refusal(bad_graphs.greedy(tmp_path / "m", gigabytes=12), Limits(memory_mb=2048))
    assert "memory" in words.lower() or "allocat" in words.lower()
    assert psutil.virtual_memory().available > before - 4 * 2**30


def test_weights_that_are_no_numbers_are_found(tmp_path: Path) -> None:
    assert "no numbers" in refusal(bad_graphs.without_numbers(tmp_path / "m"), Limits())


def test_a_graph_that_crashes_the_runtime_crashes_only_its_process(tmp_path: Path) -> None:
    assert "crashed" in refusal(bad_graphs.crashing(tmp_path / "m"), Limits())


def test_a_tokenizer_of_another_model_is_found(tmp_path: Path) -> None:
    folder = tmp_path / "m"
    bad_graphs.narrow(folder)
    shutil.copyfile(DEMO / "tokenizer.json", folder / "tokenizer.json")
    assert "not of one model" in refusal(folder, Limits())
