"""Where a model comes from: the words that a user gives, and the files that they bring."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from hordenode.catalog import HUB_SOURCE
from hordenode.library.archive import RESERVE, extract, is_archive
from hordenode.library.errors import LibraryError
from hordenode.library.form import Found, recognise
from hordenode.library.hub import Hub, Snapshot, endpoint_from, token_from
from hordenode.library.paths import files_below
from hordenode.library.progress import Progress

# Told what was found before any large file moves; what it raises ends the work.
Approve = Callable[[Found], None]


@dataclass(frozen=True, slots=True)
class Fetched:
    """A model's files in `folder`. `pinned`: the source as models.toml keeps it, empty for local ones."""

    folder: Path
    found: Found
    pinned: str


@dataclass(frozen=True, slots=True)
class Local:
    """A folder, an archive or a single file of this machine."""

    path: Path

    @property
    def key(self) -> str:
        """What an unfinished try is found by."""
        return str(self.path)

    @property
    def title(self) -> str:
        """A name for the model."""
        name = self.path.name
        cut = next((suffix for suffix in (".safetensors", *_ARCHIVES) if name.lower().endswith(suffix)), "")
        return name.removesuffix(cut) if cut else name

    def fetch(self, work: Path, subfolder: str, approve: Approve, progress: Progress) -> Fetched:
        """Bring the files below `work`; a folder of this machine is read where it is."""
        if self.path.is_dir():
            found = recognise(list(files_below(self.path)), self.path, subfolder)
            approve(found)
            return Fetched(self.path / found.root, found, "")
        target = work / "files"
        shutil.rmtree(target, ignore_errors=True)
        if is_archive(self.path):
            extract(self.path, target, progress)
            found = recognise(list(files_below(target)), self.path, subfolder)
            approve(found)
            return Fetched(target / found.root, found, "")
        found = recognise([self.path.name], self.path)
        approve(found)
        return Fetched(self.path.parent, found, "")


@dataclass(frozen=True, slots=True)
class OnHub:
    """A revision of a repository."""

    hub: Hub
    snapshot: Snapshot

    @property
    def key(self) -> str:
        """What an unfinished try is found by."""
        return self.snapshot.source

    @property
    def title(self) -> str:
        """A name for the model."""
        return self.snapshot.repo

    def fetch(self, work: Path, subfolder: str, approve: Approve, progress: Progress) -> Fetched:
        """Download the files that are needed below `work`."""
        found = recognise(self.snapshot.files.keys(), self.snapshot.source, subfolder)
        approve(found)
        target = work / "files"
        names = [f"{found.root}/{name}" if found.root else name for name in found.files]
        self._check_room(names, target)
        for name in names:
            self.hub.fetch(self.snapshot, name, target / name, progress)
        return Fetched(target / found.root, found, self.snapshot.source)

    def _check_room(self, names: Collection[str], target: Path) -> None:
        target.mkdir(parents=True, exist_ok=True)
        have = sum(file.stat().st_size for file in target.rglob("*") if file.is_file())
        need = sum(self.snapshot.files[name][1] for name in names) - have
        free = shutil.disk_usage(target).free - RESERVE
        if need > free:
            raise LibraryError(
                f"{self.snapshot.source}: needs {need / 1e9:.1f} GB, but {max(free, 0) / 1e9:.1f} GB may be used. Make room "
                "on the disk, or put the data directory on another one with --data-dir."
            )


_ARCHIVES = (".tar.gz", ".tar.xz", ".tar.bz2", ".tgz", ".tar", ".zip")


@contextmanager
def open_source(
    words: str, token_file: Path | None = None, env: Mapping[str, str] = os.environ
) -> Iterator[Local | OnHub]:
    """The source that `words` name. Asks the hub what it holds. Raises LibraryError, Interrupted."""
    if not words.startswith("hf:"):
        yield _local(words)
        return
    match = HUB_SOURCE.fullmatch(words)
    if match is None:
        raise LibraryError(f"{words}: a model of the hub is named hf:owner/repo@revision, as in hf:owner/repo@main.")
    with closing(Hub(endpoint_from(env), token_from(token_file, env))) as hub:
        yield OnHub(hub, hub.snapshot(match["repo"], match["revision"]))


def _local(words: str) -> Local:
    path = Path(words).expanduser().absolute()
    if path.is_dir() or (path.is_file() and (is_archive(path) or path.suffix == ".safetensors")):
        return Local(path)
    if path.exists():
        raise LibraryError(
            f"{path}: is no model. Give a folder, an archive ({', '.join(_ARCHIVES)}), a .safetensors file, or "
            "hf:owner/repo@revision."
        )
    raise LibraryError(f"{path}: does not exist. A model of the hub is named hf:owner/repo@revision.")


def place_files(fetched: Fetched, target: Path, progress: Progress, *, link: bool) -> None:
    """Give `target` the needed files: as further names of the same bytes where `link`, else as copies."""
    target.mkdir()
    sizes = {name: (fetched.folder / name).stat().st_size for name in fetched.found.files}
    done, total = 0, sum(sizes.values())
    if not link and total > shutil.disk_usage(target).free - RESERVE:
        raise LibraryError(
            f"{target.parent}: lacks room for {total / 1e9:.1f} GB. Use --in-place, or another --data-dir."
        )
    for name, size in sizes.items():
        (target / name).parent.mkdir(parents=True, exist_ok=True)
        if not (link and _link(fetched.folder / name, target / name)):
            shutil.copyfile(fetched.folder / name, target / name)
        done += size
        progress("copying", done, total)


def _link(source: Path, target: Path) -> bool:
    try:
        target.hardlink_to(source)
    except OSError:  # not every file system can
        return False
    return True
