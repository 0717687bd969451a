"""Archives of others are unpacked only when nothing in them can do harm."""

from __future__ import annotations

import io
import os
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hordenode.library.archive import extract, pack
from hordenode.library.errors import LibraryError
from hordenode.library.paths import safe_names

FILES = {"unet/model.onnx": b"graph" * 1000, "config.json": b"{}"}


def silent(words: str, done: int = 0, total: int = 0) -> None:
    """Progress that nobody watches."""


def tar_of(archive: Path, *members: tuple[tarfile.TarInfo, bytes], mode: str = "w") -> Path:
    with tarfile.open(archive, mode) as tar:  # type: ignore[call-overload]
        for info, content in members:
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return archive


def link(kind: bytes, target: str) -> tarfile.TarInfo:
    info = tarfile.TarInfo("unet/model.onnx")
    info.type, info.linkname = kind, target
    return info


def zip_of(archive: Path, *members: tuple[str | zipfile.ZipInfo, bytes]) -> Path:
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as made:
        for info, content in members:
            made.writestr(info, content)
    return archive


def content_of(folder: Path) -> dict[str, bytes]:
    return {file.relative_to(folder).as_posix(): file.read_bytes() for file in folder.rglob("*") if file.is_file()}


@pytest.mark.parametrize(
    ("name", "mode"), [("m.tar", "w"), ("m.tar.gz", "w:gz"), ("m.tgz", "w:gz"), ("m.tar.xz", "w:xz")]
)
def test_a_tar_is_unpacked(tmp_path: Path, name: str, mode: str) -> None:
    archive = tar_of(
        tmp_path / name, *((tarfile.TarInfo(f"./{each}"), data) for each, data in FILES.items()), mode=mode
    )
    extract(archive, tmp_path / "out", silent)
    assert content_of(tmp_path / "out") == FILES


def test_a_zip_is_unpacked(tmp_path: Path) -> None:
    extract(zip_of(tmp_path / "m.zip", ("unet/", b""), *FILES.items()), tmp_path / "out", silent)
    assert content_of(tmp_path / "out") == FILES


def test_what_was_packed_is_unpacked(tmp_path: Path) -> None:
    source = tmp_path / "graph"
    source.write_bytes(FILES["unet/model.onnx"])
    pack(tmp_path / "m.tar", {"config.json": b"{}", "unet/model.onnx": source}, silent)
    extract(tmp_path / "m.tar", tmp_path / "out", silent)
    assert content_of(tmp_path / "out") == FILES


HOSTILE: dict[str, Callable[[Path], Path]] = {
    "up": lambda folder: tar_of(folder / "m.tar", (tarfile.TarInfo("a/../../outside"), b"x")),
    "absolute": lambda folder: tar_of(folder / "m.tar", (tarfile.TarInfo(f"{folder}/outside"), b"x")),
    "symlink": lambda folder: tar_of(folder / "m.tar", (link(tarfile.SYMTYPE, "../outside"), b"")),
    "hard link": lambda folder: tar_of(folder / "m.tar", (link(tarfile.LNKTYPE, "/etc/passwd"), b"")),
    "device": lambda folder: tar_of(folder / "m.tar", (link(tarfile.CHRTYPE, ""), b"")),
    "pipe": lambda folder: tar_of(folder / "m.tar", (link(tarfile.FIFOTYPE, ""), b"")),
    "twice": lambda folder: tar_of(folder / "m.tar", (tarfile.TarInfo("a"), b"x"), (tarfile.TarInfo("A"), b"y")),
    "zip up": lambda folder: zip_of(folder / "m.zip", ("../outside", b"x")),
    "zip backslash": lambda folder: zip_of(folder / "m.zip", ("..\\outside", b"x")),
    "zip link": lambda folder: zip_of(folder / "m.zip", (zip_link(), b"../outside")),
    "too many": lambda folder: zip_of(folder / "m.zip", *((f"f{index}", b"") for index in range(10_001))),
}


def zip_link() -> zipfile.ZipInfo:
    info = zipfile.ZipInfo("unet")
    info.create_system, info.external_attr = 3, 0o120777 << 16
    return info


@pytest.mark.parametrize("case", HOSTILE)
def test_a_hostile_archive_is_refused_before_anything_is_written(tmp_path: Path, case: str) -> None:
    archive = HOSTILE[case](tmp_path)
    before = set(tmp_path.iterdir())
    with pytest.raises(LibraryError, match=r"m\.(tar|zip): refused"):
        extract(archive, tmp_path / "out", silent)
    assert set(tmp_path.iterdir()) - before <= {tmp_path / "out"} and not content_of(tmp_path / "out")


def test_a_bomb_stops_at_the_limit(tmp_path: Path) -> None:
    archive = zip_of(tmp_path / "m.zip", ("bomb", b"\0" * 5_000_000))
    assert archive.stat().st_size < 10_000
    with pytest.raises(LibraryError, match="may be used"):
        extract(archive, tmp_path / "out", silent, limit=1_000_000)


def test_a_bomb_that_lies_about_its_size_is_found_out(tmp_path: Path) -> None:
    archive = zip_of(tmp_path / "m.zip", ("bomb", b"\0" * 5_000_000))
    raw = archive.read_bytes()
    size = (5_000_000).to_bytes(4, "little")
    assert raw.count(size) == 2
    archive.write_bytes(raw.replace(size, (1000).to_bytes(4, "little")))
    with pytest.raises(LibraryError, match=r"m\.zip"):
        extract(archive, tmp_path / "out", silent, limit=1_000_000)
    assert sum(len(data) for data in content_of(tmp_path / "out").values()) <= 1000


@pytest.mark.parametrize("name", ["m.zip", "m.tar.gz"])
def test_a_truncated_or_false_archive_is_named(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"nothing of the kind")
    with pytest.raises(LibraryError, match=f"{name}: cannot be unpacked"):
        extract(tmp_path / name, tmp_path / "out", silent)
    members = ((tarfile.TarInfo(each), os.urandom(100_000)) for each in FILES)
    whole = tar_of(tmp_path / "whole.tar.gz", *members, mode="w:gz").read_bytes()
    (tmp_path / "cut.tar.gz").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(LibraryError, match=r"cut\.tar\.gz: cannot be unpacked"):
        extract(tmp_path / "cut.tar.gz", tmp_path / "out2", silent)


@given(st.lists(st.text(st.sampled_from("a/.\\: \0C"), max_size=8), max_size=4))
def test_no_accepted_name_leaves_the_folder(names: list[str]) -> None:
    base = Path("/base/folder")
    try:
        accepted = safe_names(names, "list")
    except LibraryError:
        return
    for name in accepted:
        assert Path(os.path.normpath(base / name)).is_relative_to(base) and Path(os.path.normpath(base / name)) != base
