"""Models are added from every source and form, run, are checked, removed, and carried to another machine."""

from __future__ import annotations

import json
import shutil
import sys
import tomllib
import zipfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import onnx
import pytest
from click.testing import CliRunner, Result
from onnx.external_data_helper import uses_external_data

from hordenode.catalog import PACKAGE, ImageModel, load_catalog
from hordenode.cli import main
from hordenode.config import EngineSettings
from hordenode.engine.image.pipeline import ImagePipeline
from hordenode.engine.jobs import ImageJob, Progress
from hordenode.engine.providers import PROVIDERS
from hordenode.engine.runtime import Runtime
from hordenode.library.add import image_precision
from hordenode.library.logits import graph_logits
from tests.library import bad_graphs
from tests.library.hub_server import COMMIT, HubServer, folder_files, hub_server
from tests.library.tiny import GOLDENS, write_checkpoint

DEMO = PACKAGE / "demo" / "models" / "text"
PICTURES = Path(__file__).parents[1] / "numeric" / "goldens" / "image"
LOGITS = np.load(GOLDENS / "logits.npz")
TOKENS = LOGITS["tokens"].tolist()


def silent(progress: Progress) -> None:
    """Progress that nobody watches."""


class Home:
    """A data directory, and the command line at work on it."""

    def __init__(self, folder: Path) -> None:
        self.data_dir = folder
        self.env = {"HORDENODE_ENGINE_THREADS": "1", "HORDENODE_ENGINE_PROVIDERS": "cpu", "HF_TOKEN": ""}

    def models(self, *words: str | Path) -> Result:
        arguments = ["models", *(str(word) for word in words), "--data-dir", str(self.data_dir)]
        result = CliRunner().invoke(main, arguments, env=self.env)
        assert result.exception is None or isinstance(result.exception, SystemExit), result.exc_info
        return result

    def done(self, *words: str | Path) -> str:
        result = self.models(*words)
        assert result.exit_code == 0, result.output
        return result.output

    def refused(self, *words: str | Path) -> str:
        result = self.models(*words)
        assert result.exit_code == 1 and (result.stdout == "" or "FAIL" in result.stdout), result.output
        return result.output

    @property
    def left(self) -> set[str]:
        """What stands in the folder of models, hidden things too."""
        root = self.data_dir / "models"
        return {path.relative_to(root).as_posix() for path in root.rglob("*") if path.name != ".lock"}


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path / "data")


@pytest.fixture
def hub(tmp_path: Path, home: Home) -> Iterator[HubServer]:
    """A hub that holds a text checkpoint."""
    with hub_server(folder_files(write_checkpoint(tmp_path / "checkpoint", "llama"))) as server:
        home.env["HF_ENDPOINT"] = server.url
        yield server


def test_a_folder_of_the_genai_builder_is_copied_and_runs(home: Home) -> None:
    said = home.done("add", DEMO, "--name", "owner/Story-0.004B")
    assert "added text model 'owner/Story-0.004B'" in said and "tokens/s" in said
    model = load_catalog(home.data_dir).text["owner/Story-0.004B"]
    assert model.path.is_relative_to(home.data_dir) and model.parameters == 0.004 and model.context == 2048
    assert set(model.sha256) == {file.name for file in DEMO.iterdir()}
    assert "ok    text 'owner/Story-0.004B'" in home.done("check", "owner/Story-0.004B")


def test_a_checkpoint_of_a_hub_is_converted_pinned_and_verified(home: Home, hub: HubServer) -> None:
    said = home.done("add", "hf:owner/model@main", "--precision", "fp32")
    assert "fetching model.safetensors" in said and "of the checkpoint's" in said
    entry = tomllib.loads((home.data_dir / "models.toml").read_text())["text"]["owner/model"]
    assert entry["source"] == f"hf:owner/model@{COMMIT}" and set(entry["sha256"]) >= {"model.onnx", "model.onnx.data"}
    folder = load_catalog(home.data_dir).text["owner/model"].path
    np.testing.assert_allclose(graph_logits(folder, TOKENS), LOGITS["llama"], rtol=0, atol=1e-3)
    assert not (folder.parents[1] / ".incoming").exists()


def test_an_interrupted_download_goes_on_with_the_same_command(home: Home, hub: HubServer) -> None:
    size = len(hub.files["model.safetensors"])
    hub.gives = size // 2
    assert "Run the same command again" in home.refused("add", "hf:owner/model@main")
    assert "1 unfinished" in home.done("list")
    hub.gives = 2**40
    home.done("add", "hf:owner/model@main")
    starts = [asked for path, asked, _ in hub.asked if path == "storage/model.safetensors"]
    assert starts[0] == "" and all(asked.startswith("bytes=") for asked in starts[1:])
    assert "unfinished" not in home.done("list")


def test_unfinished_downloads_can_be_dropped(home: Home, hub: HubServer) -> None:
    hub.gives = len(hub.files["model.safetensors"]) // 2
    home.refused("add", "hf:owner/model@main")
    assert "dropped 1 unfinished" in home.done("remove", "--unfinished")
    assert not any(name.startswith(".incoming") for name in home.left)


def test_an_optimum_folder_is_converted(home: Home) -> None:
    said = home.done("add", GOLDENS / "optimum", "--name", "opt", "--precision", "int8")
    assert "int8: logits within" in said
    folder = load_catalog(home.data_dir).text["opt"].path
    graph = onnx.load(folder / "model.onnx", load_external_data=False).graph
    assert {"GroupQueryAttention", "MatMulNBits"} <= {node.op_type for node in graph.node}


def test_an_image_folder_in_an_archive_is_named_for_lora_and_draws_the_same(home: Home, tmp_path: Path) -> None:
    archive = tmp_path / "Tiny One.zip"
    with zipfile.ZipFile(archive, "w") as made:
        for name, content in folder_files(_as_exported(tmp_path / "named")).items():
            made.writestr(f"Tiny One/{name}", content)
    home.done("add", archive, "--baseline", "stable_diffusion_xl")
    model = load_catalog(home.data_dir).image["Tiny One"]
    assert model.baseline == "stable_diffusion_xl"
    names = json.loads((model.path / "unet" / "lora.json").read_text())
    graph = onnx.load(model.path / "unet" / "model.onnx", load_external_data=False).graph
    stored = {each.name: each for each in graph.initializer}
    assert names["down_blocks.0.to_q"]["transposed"]
    assert any(uses_external_data(each) for each in stored.values())
    job = ImageJob("job", "tiny", "a", width=64, height=64, steps=2)
    runtime = Runtime(EngineSettings(threads=1, providers=("cpu",)))
    drawn = [
        np.frombuffer(ImagePipeline(ImageModel(path=path), runtime).draw(job, silent).images[0].rgb, np.uint8)
        for path in (PICTURES, model.path)
    ]
    assert np.abs(drawn[0].astype(int) - drawn[1]).max() <= 1  # its graphs are in a faster form


def test_graphs_stay_as_exported_when_that_is_asked_for(home: Home) -> None:
    home.done("add", PICTURES, "--name", "plain", "--plain")
    folder = load_catalog(home.data_dir).image["plain"].path
    kinds = {node.op_type for node in onnx.load(folder / "unet" / "model.onnx", load_external_data=False).graph.node}
    assert "Softmax" in kinds and "MultiHeadAttention" not in kinds


@pytest.mark.parametrize("precision", ["fp16", "int8"])
def test_an_image_folder_is_made_smaller(home: Home, precision: str) -> None:
    home.done("add", PICTURES, "--name", "small", "--precision", precision, "--export-python", sys.executable)
    folder = load_catalog(home.data_dir).image["small"].path
    graph = onnx.load(folder / "unet" / "model.onnx", load_external_data=False).graph
    kinds = {each.data_type for each in graph.initializer if len(each.dims) > 1}
    wanted = onnx.TensorProto.FLOAT16 if precision == "fp16" else onnx.TensorProto.INT8
    assert wanted in kinds
    assert (folder / "unet" / "model.onnx.data").stat().st_size < 0.8 * _weights(PICTURES / "unet" / "model.onnx")


def _as_exported(folder: Path) -> Path:
    """The pictures' model, with the name that an exporter gives the node of a linear map."""
    shutil.copytree(PICTURES, folder)
    file = folder / "unet" / "model.onnx"
    model = onnx.load(file)
    weights = {each.name for each in model.graph.initializer}
    node = next(each for each in model.graph.node if each.op_type == "MatMul" and each.input[1] in weights)
    node.name = "/down_blocks.0/to_q/MatMul"
    onnx.save(model, file)
    return folder


def _weights(file: Path) -> int:
    return sum(4 * int(np.prod(each.dims)) for each in onnx.load(file).graph.initializer if each.data_type == 1)


def test_image_models_are_halved_for_graphics_cards_alone() -> None:
    assert {name: image_precision(name) for name in PROVIDERS} == {
        **dict.fromkeys(PROVIDERS, "fp16"),
        "cpu": "fp32",
        "openvino": "fp32",
    }


def test_a_folder_in_place_stays_and_is_left_by_remove(home: Home, tmp_path: Path) -> None:
    folder = tmp_path / "mine"
    shutil.copytree(DEMO, folder)
    home.done("add", folder, "--in-place")
    assert load_catalog(home.data_dir).text["mine"].path == folder
    assert f"its files stay in {folder}" in home.done("remove", "mine")
    assert "mine" not in load_catalog(home.data_dir).text and (folder / "model.onnx").exists()


def test_what_was_added_is_removed_with_its_files(home: Home) -> None:
    home.done("add", DEMO, "--name", "gone")
    folder = load_catalog(home.data_dir).text["gone"].path
    home.done("remove", "gone")
    assert not folder.exists() and "gone" not in (home.data_dir / "models.toml").read_text()
    assert "there is no model 'gone'" in home.refused("remove", "gone")
    assert "nothing to remove" in home.refused("remove", "hordenode demo", "--kind", "text")


def test_a_changed_file_is_found_by_check(home: Home) -> None:
    home.done("add", DEMO, "--name", "a")
    file = load_catalog(home.data_dir).text["a"].path / "tokenizer_config.json"
    file.write_bytes(file.read_bytes() + b" ")
    assert "tokenizer_config.json" in home.refused("check", "a")
    shutil.rmtree(file.parent)
    assert "is missing" in home.refused("check", "a")


def test_models_are_carried_in_one_archive(home: Home, tmp_path: Path) -> None:
    home.done("add", DEMO, "--name", "writer")
    home.done("add", PICTURES, "--name", "painter")
    archive = tmp_path / "all.tar"
    home.done("export", "writer", "painter", "-o", archive)
    other = Home(tmp_path / "other")
    said = other.done("import", archive)
    assert "text model 'writer'" in said and "image model 'painter'" in said
    mine, theirs = load_catalog(home.data_dir), load_catalog(other.data_dir)
    assert theirs.text["writer"].sha256 == mine.text["writer"].sha256
    assert theirs.text["writer"].path.is_relative_to(other.data_dir)
    assert "there is a model 'writer' already" in other.refused("import", archive)
    raw = archive.read_bytes()
    where = raw.index((DEMO / "tokenizer.json").read_bytes()[:64])
    archive.write_bytes(raw[:where] + b"X" + raw[where + 1 :])
    third = Home(tmp_path / "third")
    assert "'tokenizer.json' of 'writer' is damaged" in third.refused("import", archive)
    assert third.left == set() and not (third.data_dir / "models.toml").exists()


def test_a_hostile_model_is_refused_and_leaves_nothing(home: Home, tmp_path: Path) -> None:
    assert "crashed" in home.refused("add", bad_graphs.crashing(tmp_path / "bad"))
    assert home.left == set() and not (home.data_dir / "models.toml").exists()


def test_a_damaged_graph_is_named_where_the_user_has_it(home: Home, tmp_path: Path) -> None:
    shutil.copytree(PICTURES, tmp_path / "broken")
    graph = tmp_path / "broken" / "unet" / "model.onnx"
    graph.write_bytes(graph.read_bytes()[:20_000])
    assert f"{graph}: is damaged or no ONNX file" in home.refused("add", tmp_path / "broken")
    assert home.left == set()


def test_what_cannot_be_added_says_why_before_large_files_move(home: Home, hub: HubServer, tmp_path: Path) -> None:
    home.done("add", DEMO, "--name", "taken")
    assert "there is a model 'taken' already" in home.refused("add", "hf:owner/model@main", "--name", "taken")
    assert not hub.asked
    assert "int4 is for text models" in home.refused("add", PICTURES, "--precision", "int4")
    assert "--precision does not apply" in home.refused("add", DEMO, "--precision", "int4")
    assert "--in-place is for a folder" in home.refused("add", tmp_path / "checkpoint", "--in-place")
    (tmp_path / "one.safetensors").write_bytes(b"x")
    assert "--like" in home.refused("add", tmp_path / "one.safetensors")
    assert "does not exist" in home.refused("add", tmp_path / "nowhere")
    assert "hf:owner/repo@revision" in home.refused("add", "hf:owner/repo")


def test_a_diffusers_folder_names_the_ways_to_a_converter(home: Home, tmp_path: Path) -> None:
    folder = tmp_path / "pipe"
    (folder / "unet").mkdir(parents=True)
    for name in ("model_index.json", "unet/config.json"):
        (folder / name).write_text("{}")
    said = home.refused("add", folder)
    assert "--make-environment" in said and "--export-python" in said
    assert "could not be converted" in home.refused("add", folder, "--export-python", sys.executable)
    assert home.left == set()
