"""models.toml: edited in place, read with every mistake named."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from hordenode.catalog import CatalogError, folder_name, load_catalog, read_catalog
from hordenode.library.models_file import ModelsFile

MINE = """\
# My models.

[defaults]
precision = "int4"   # small machine

[image."Old One"]    # the first
path = "/models/old" # on the large disk
# fits beside the text model
vram_mb   = 3200

[text.writer]
path = "w"
context = 4096
"""


def test_what_is_not_meant_stays_line_for_line(tmp_path: Path) -> None:
    file = ModelsFile(tmp_path)
    file.path.write_text(MINE)
    file.path.chmod(0o640)
    file.put("image", "New/One", {"path": "models/new", "sha256": {"unet/model.onnx": "ab" * 32}})
    file.put("image", "Old One", {"path": "/models/moved"})
    text = file.path.read_text()
    assert file.path.stat().st_mode & 0o777 == 0o640
    kept = [line for line in MINE.splitlines() if line and "/models/old" not in line]
    assert [line for line in text.splitlines() if line in kept] == kept
    assert 'path = "/models/moved" # on the large disk' in text
    models = load_catalog(tmp_path)
    assert models.image["New/One"].sha256 == {"unet/model.onnx": "ab" * 32}
    assert models.image["Old One"].vram_mb == 3200 and models.defaults.precision == "int4"


def test_an_entry_that_is_taken_away_leaves_the_rest(tmp_path: Path) -> None:
    file = ModelsFile(tmp_path)
    file.path.write_text(MINE)
    file.put("image", "New/One", {"path": "n", "sha256": {"a": "ab" * 32}})
    assert file.drop("image", "New/One") and not file.drop("image", "New/One")
    assert file.path.read_text().rstrip() == MINE.rstrip()


def test_the_first_entry_makes_the_file(tmp_path: Path) -> None:
    file = ModelsFile(tmp_path)
    file.put("text", "owner/Model-1B", {"path": "models/x", "context": 512})
    assert file.path.read_text().startswith("# Models of this node")
    assert tomllib.loads(file.path.read_text())["text"] == {"owner/Model-1B": {"path": "models/x", "context": 512}}
    assert not list(tmp_path.glob("*.new"))


def test_a_change_that_would_not_be_read_is_not_written(tmp_path: Path) -> None:
    file = ModelsFile(tmp_path)
    file.path.write_text(MINE)
    with pytest.raises(CatalogError, match=r"unknown key 'text.\"writer\".kontext'; did you mean 'context'"):
        file.put("text", "writer", {"kontext": 1})
    with pytest.raises(CatalogError):
        file.put("text", "writer", {"context": -1})
    assert file.path.read_text() == MINE


def test_a_file_that_is_no_toml_is_named_and_left_alone(tmp_path: Path) -> None:
    file = ModelsFile(tmp_path)
    file.path.write_text("[image\n")
    with pytest.raises(CatalogError, match=r"models\.toml"):
        file.put("text", "a", {"path": "a"})
    assert file.path.read_text() == "[image\n"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[imag.x]\npath='a'", "unknown key 'imag'; did you mean 'image'"),
        ("[image.x]\npathh='a'", "unknown key 'image.\"x\".pathh'; did you mean 'path'"),
        ("[image.x]\nvram_mb=1", 'image."x" needs a path, or a source'),
        ("[image.x]\npath='a'\nvram_mb=-1", 'image."x".*vram_mb'),
        ("[text.x]\npath='a'\nmax_batch=0", 'text."x".*max_batch'),
        ("[text.x]\npath='a'\nbaseline='sd'", "unknown key 'text.\"x\".baseline'"),
        ("[text.x]\nsource='hf:owner/repo'", "must have the form hf:owner/repo@revision, not 'hf:owner/repo'"),
        ("[text.x]\nsource='hf:../x@main'", "must have the form"),
        ("[alchemy.captoin]\npath='a'", "'captoin' is no form of alchemy; did you mean 'caption'"),
        ("[alchemy.x]\npath='a'\nform='nsfv'", "did you mean 'nsfw'"),
        ("[alchemy.x]\npath='a'\nform=3", 'alchemy."x"'),
        ("[defaults]\nprecison='int4'", "unknown key 'defaults.precison'; did you mean 'precision'"),
        ("[defaults]\nprecision='int3'", "must be one of fp32, fp16, int8, int4"),
        ("image = 3", "must hold tables"),
        ("[image]\nx = 3", "must be a table"),
    ],
)
def test_mistakes_are_named_with_what_is_meant(tmp_path: Path, text: str, words: str) -> None:
    file = tmp_path / "models.toml"
    file.write_text(text)
    with pytest.raises(CatalogError, match=words) as refused:
        read_catalog(file, tmp_path)
    assert str(file) in str(refused.value)


def test_each_kind_becomes_its_own_type(tmp_path: Path) -> None:
    (tmp_path / "models.toml").write_text(
        "[alchemy.caption]\nsource='hf:owner/repo@v1'\n[alchemy.sharp]\npath='s'\nform='RealESRGAN_x4plus'\n"
        "[text.t]\npath='t'\nmax_batch=16\n[image.i]\nsource='hf:owner/repo@v1'\nresidency='pinned'\n"
    )
    models = load_catalog(tmp_path)
    assert models.alchemy["caption"].form == "caption" and models.alchemy["sharp"].form == "RealESRGAN_x4plus"
    assert models.text["t"].max_batch == 16
    assert models.image["i"].path == (tmp_path / "models" / "image" / folder_name("i")).resolve()
    assert "hordenode demo" in models.image


def test_folders_of_models_are_plain_and_differ() -> None:
    names = ["a/b", "a-b", "A/B", "../..", "con", "名前", "x" * 300]
    folders = [folder_name(name) for name in names]
    assert len({folder.casefold() for folder in folders}) == len(names)
    assert all(folder.isascii() and "/" not in folder and len(folder) < 80 and folder[0] != "." for folder in folders)
