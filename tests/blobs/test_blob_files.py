"""Blobs as files: whole or not at all, where they belong, and nothing else."""

from __future__ import annotations

import asyncio
import os
import signal
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hordenode.blobs.base import BlobStore
from hordenode.blobs.files import FileBlobs
from hordenode.blobs.journal import Entry, Journal, read
from tests.support.aio import run


def test_what_was_put_is_there_until_it_is_deleted(tmp_path: Path) -> None:
    async def main() -> None:
        blobs: BlobStore = FileBlobs(tmp_path / "blobs")
        assert await blobs.get("results", "a.webp") is None
        assert await blobs.path("results", "a.webp") is None
        assert await blobs.usage() == 0
        await blobs.put("results", "a.webp", b"one")
        await blobs.put("sources", "a.webp", b"other")
        await blobs.put("results", "a.webp", b"second")
        assert await blobs.get("results", "a.webp") == b"second"
        path = await blobs.path("results", "a.webp")
        assert path is not None
        assert path.read_bytes() == b"second"
        assert await blobs.usage() == len(b"second" + b"other")
        await blobs.delete("results", "a.webp")
        await blobs.delete("results", "a.webp")
        assert await blobs.get("results", "a.webp") is None
        assert await blobs.get("sources", "a.webp") == b"other"

    run(main())


def test_files_spread_over_folders(tmp_path: Path) -> None:
    async def main() -> None:
        blobs = FileBlobs(tmp_path)
        paths = []
        for number in range(64):
            await blobs.put("results", f"{number}.webp", b"x")
            paths.append(await blobs.path("results", f"{number}.webp"))
        places = [path.relative_to(tmp_path).parts for path in paths if path is not None]
        assert {len(parts) for parts in places} == {3}
        assert len({parts[1] for parts in places}) > 48

    run(main())


@pytest.mark.parametrize(
    "name", ["", ".", "..", "../x", "a/b", "a\\b", "/etc/passwd", ".hidden", "a\0b", "a\n", "ü", "a b", "x" * 201]
)
def test_names_that_could_lead_elsewhere_are_refused(tmp_path: Path, name: str) -> None:
    async def main() -> None:
        blobs = FileBlobs(tmp_path / "blobs")
        for bucket, key in ((name, "key"), ("bucket", name)):
            for call in (blobs.put(bucket, key, b"x"), blobs.get(bucket, key), blobs.delete(bucket, key)):
                with pytest.raises(ValueError, match="cannot be the name"):
                    await call
            with pytest.raises(ValueError, match="cannot be the name"):
                await blobs.path(bucket, key)

    run(main())
    assert not (tmp_path / "blobs").exists()


def test_dots_inside_a_name_stay_in_the_bucket(tmp_path: Path) -> None:
    async def main() -> None:
        blobs = FileBlobs(tmp_path)
        for key in ("ab..cd", "a..", "x...webp"):
            await blobs.put("results", key, key.encode())
            path = await blobs.path("results", key)
            assert path is not None
            assert path.resolve().is_relative_to((tmp_path / "results").resolve())
            assert len(path.resolve().relative_to(tmp_path.resolve()).parts) == 3

    run(main())


def test_a_write_that_fails_leaves_the_old_file_and_no_rest(tmp_path: Path) -> None:
    async def main() -> None:
        blobs = FileBlobs(tmp_path)
        await blobs.put("results", "a", b"old")
        path = await blobs.path("results", "a")
        assert path is not None
        path.unlink()
        path.mkdir()  # a file cannot replace a folder
        with pytest.raises(OSError, match="a"):
            await blobs.put("results", "a", b"new")
        assert path.is_dir()
        assert await blobs.usage() == 0
        assert list((tmp_path / ".part").iterdir()) == []

    run(main())


def test_files_of_the_former_two_levels_of_folders_are_found_again(tmp_path: Path) -> None:
    async def main() -> None:
        blobs = FileBlobs(tmp_path)
        for number in range(16):
            place = blobs.former_place("results", f"{number}.webp")
            place.parent.mkdir(parents=True)
            place.write_bytes(bytes([number]))
        blobs.recover()
        for number in range(16):
            assert await blobs.get("results", f"{number}.webp") == bytes([number])
            assert not blobs.former_place("results", f"{number}.webp").parent.exists()

    run(main())


def test_a_file_that_could_not_be_written_whole_is_not_there(tmp_path: Path) -> None:
    """A limit on the size of files stands for a disk that is full."""
    resource = pytest.importorskip("resource")

    async def main() -> None:
        blobs = FileBlobs(tmp_path)
        await blobs.put("results", "small", b"x")
        soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (1000, hard))
        try:
            with pytest.raises(OSError, match="large"):
                await blobs.put("results", "large", b"x" * 2000)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
            signal.signal(signal.SIGXFSZ, before)
        assert await blobs.path("results", "large") is None
        assert await blobs.get("results", "small") == b"x"

    run(main())


def test_what_killed_writers_left_is_swept_and_what_is_being_written_is_not(tmp_path: Path) -> None:
    (tmp_path / ".part").mkdir()
    old, young = tmp_path / ".part" / "old", tmp_path / ".part" / "young"
    old.write_bytes(b"x")
    young.write_bytes(b"x")
    os.utime(old, (1_000_000_000, 1_000_000_000))
    FileBlobs(tmp_path).recover()
    assert not old.exists()
    assert young.exists()


def test_many_at_once_each_get_their_own(tmp_path: Path) -> None:
    async def main() -> None:
        blobs = FileBlobs(tmp_path)
        await asyncio.gather(*(blobs.put("results", str(n % 5), bytes([n % 5]) * 1000) for n in range(40)))
        for n in range(5):
            assert await blobs.get("results", str(n)) == bytes([n]) * 1000
        assert await blobs.usage() == 5000

    run(main())


def lose_files(root: Path) -> None:
    """What a power loss may do to files that were not synced: one in two is gone, the others are empty."""
    for number, path in enumerate(sorted(root.glob("results/*/*"))):
        path.unlink()
        if number % 2:
            path.touch()


def segments(root: Path) -> list[Path]:
    return sorted((root / ".journal").glob("*"))


def test_what_was_put_survives_a_power_loss_and_what_was_deleted_does_not_come_back(tmp_path: Path) -> None:
    async def main() -> None:
        blobs = FileBlobs(tmp_path)
        await asyncio.gather(*(blobs.put("results", str(n), bytes([n]) * 5000) for n in range(20)))
        await blobs.put("results", "3", b"replaced")
        await blobs.delete("results", "4")

    run(main())
    lose_files(tmp_path)
    found = FileBlobs(tmp_path).recover()
    assert {entry.key for entry in found} == {str(n) for n in range(20) if n != 4}
    assert segments(tmp_path) == []

    async def look() -> None:
        blobs = FileBlobs(tmp_path)
        for n in range(20):
            expected = b"replaced" if n == 3 else None if n == 4 else bytes([n]) * 5000
            assert await blobs.get("results", str(n)) == expected

    run(look())
    assert FileBlobs(tmp_path).recover() == []


@pytest.mark.parametrize("few", [True, False])
def test_the_journal_is_emptied_once_the_files_are_durable(tmp_path: Path, few: bool) -> None:
    async def main() -> None:
        blobs = FileBlobs(tmp_path)
        for n in range(3 if few else 30):
            await blobs.put("results", str(n), b"x" * 1000)
        assert len(segments(tmp_path)) == 1
        await blobs.close()
        assert segments(tmp_path) == []

    run(main())


def test_a_full_journal_is_emptied_at_once_while_others_go_on(tmp_path: Path) -> None:
    async def main() -> None:
        blobs = FileBlobs(tmp_path)
        content = os.urandom(5 * 2**20)
        for n in range(12):
            await blobs.put("results", str(n), content)
        assert segments(tmp_path)[-1].name != "1", "another segment was begun"
        await blobs.close()
        for n in range(12):
            assert await blobs.get("results", str(n)) == content

    run(main())


@given(cut=st.integers(1, 3000), damaged=st.booleans())
@settings(max_examples=50, deadline=None)
def test_a_journal_that_ends_in_the_middle_gives_what_is_whole(cut: int, damaged: bool) -> None:
    with tempfile.TemporaryDirectory() as name:
        journal = Journal(Path(name) / "journal")
        entries = [Entry("results", f"key{n}", bytes([n]) * 900) for n in range(3)]
        journal.add(entries)
        journal.end()
        (segment,) = journal.segments()
        whole = segment.read_bytes()
        at = len(whole) - min(cut, len(whole))
        segment.write_bytes(whole[:at] + (bytes([whole[at] ^ 1]) + whole[at + 1 :] if damaged else b""))
        assert list(read(segment)) == entries[: at // (len(whole) // 3)]


def test_who_waited_for_a_closed_store_is_told(tmp_path: Path) -> None:
    async def main() -> None:
        blobs = FileBlobs(tmp_path)
        await blobs.put("results", "a", b"x")
        await blobs.close()
        with pytest.raises(RuntimeError, match="shutdown"):
            await blobs.put("results", "b", b"x")

    run(main())
