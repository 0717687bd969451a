"""Archives of models: unpacked so that nothing in them can do harm, and packed for machines without internet."""

from __future__ import annotations

import io
import shutil
import tarfile
import zipfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from hordenode.library.digest import CHUNK
from hordenode.library.errors import LibraryError
from hordenode.library.paths import safe_names
from hordenode.library.progress import Progress

SUFFIXES = (".zip", ".tar", ".tar.gz", ".tgz", ".tar.xz", ".tar.bz2")
# Left free on the disk, for the node that may be running on it.
RESERVE = 2**30


@dataclass(frozen=True, slots=True)
class _Member:
    """A file in an archive. `size`: as the archive says, in bytes."""

    name: str
    size: int
    open: Callable[[], IO[bytes] | None]


def is_archive(file: Path) -> bool:
    """Whether the name is an archive's."""
    return file.name.lower().endswith(SUFFIXES)


def extract(archive: Path, target: Path, progress: Progress, limit: int | None = None) -> None:
    """Unpack all files to `target`; `limit`: bytes that they may take, else what is free on the disk.

    Raises LibraryError for paths that lead elsewhere, links, devices, encrypted members, more bytes than announced or
    allowed, and for an archive that is damaged.
    """
    target.mkdir(parents=True, exist_ok=True)
    room = limit if limit is not None else shutil.disk_usage(target).free - RESERVE
    try:
        with _members(archive) as members:
            safe_names((member.name for member in members), archive)
            total = sum(member.size for member in members)
            if total > room:
                raise LibraryError(
                    f"{archive}: unpacks to {total / 1e9:.1f} GB, but {max(room, 0) / 1e9:.1f} GB may be used. Make room on "
                    "the disk, or put the data directory on another one with --data-dir."
                )
            done = 0
            for member in members:
                done = _write(archive, member, target / member.name, done, total, progress)
    except (
        tarfile.TarError,
        zipfile.BadZipFile,
        EOFError,
        OSError,
        RuntimeError,
        NotImplementedError,
        ValueError,
    ) as error:
        raise LibraryError(f"{archive}: cannot be unpacked ({error}). Fetch it again.") from error


def pack(archive: Path, files: Mapping[str, Path | bytes], progress: Progress) -> None:
    """Write an uncompressed tar of these files, in order: weights hardly shrink."""
    sizes = {name: len(file) if isinstance(file, bytes) else file.stat().st_size for name, file in files.items()}
    done, total = 0, sum(sizes.values())
    with tarfile.open(archive, "w", format=tarfile.PAX_FORMAT) as tar:
        for name, file in files.items():
            info = tarfile.TarInfo(name)
            info.size = sizes[name]
            info.mode = 0o644
            with io.BytesIO(file) if isinstance(file, bytes) else file.open("rb") as stream:
                tar.addfile(info, stream)
            done += sizes[name]
            progress("packing", done, total)


@contextmanager
def _members(archive: Path) -> Iterator[list[_Member]]:
    if zipfile.is_zipfile(archive) and archive.name.lower().endswith(".zip"):
        with zipfile.ZipFile(archive) as opened:
            yield [_zip_member(archive, opened, info) for info in opened.infolist() if not info.is_dir()]
        return
    with tarfile.open(archive) as tar:
        yield [_tar_member(archive, tar, info) for info in tar if not info.isdir()]


def _zip_member(archive: Path, opened: zipfile.ZipFile, info: zipfile.ZipInfo) -> _Member:
    kind = info.external_attr >> 28  # the high bits of a Unix mode
    if kind not in (0, 0o10):
        raise LibraryError(f"{archive}: refused, since {info.filename!r} is a link or a device.")
    if info.flag_bits & 1:
        raise LibraryError(f"{archive}: {info.filename!r} is encrypted. Pack the model without a password.")
    return _Member(info.filename, info.file_size, lambda: opened.open(info))


def _tar_member(archive: Path, tar: tarfile.TarFile, info: tarfile.TarInfo) -> _Member:
    if not info.isreg():
        raise LibraryError(f"{archive}: refused, since {info.name!r} is a link or a device.")
    return _Member(info.name.removeprefix("./"), info.size, lambda: tar.extractfile(info))


def _write(archive: Path, member: _Member, file: Path, done: int, total: int, progress: Progress) -> int:
    """Write one member; returns the bytes done so far."""
    file.parent.mkdir(parents=True, exist_ok=True)
    source = member.open()
    if source is None:
        raise LibraryError(f"{archive}: {member.name!r} holds no data.")
    left = member.size
    with source, file.open("xb") as target:
        while block := source.read(CHUNK):
            left -= len(block)
            if left < 0:
                raise LibraryError(f"{archive}: refused, since {member.name!r} is larger than the archive says.")
            target.write(block)
            done += len(block)
            progress("unpacking", done, total)
    if left:
        raise LibraryError(f"{archive}: {member.name!r} is shorter than the archive says. Fetch it again.")
    return done
