"""Which models stay in memory, and what is said when there is no room."""

from __future__ import annotations

from pathlib import Path

import pytest

from hordenode.engine.memory import HUGE, available_mb, gather, give_back, regions
from hordenode.engine.residency import OverBudget, Residency


def unknown() -> None:
    return None


def test_the_least_recently_used_model_goes_first() -> None:
    held: Residency[str] = Residency(100, unknown)
    for name in ("a", "b", "a", "c"):
        held.get(name, 40, name.upper)
    assert held.names == ("a", "c")


def test_a_pinned_model_stays_and_is_named_when_there_is_no_room() -> None:
    held: Residency[str] = Residency(100, unknown)
    held.get("pinned", 70, str, pinned=True)
    held.get("b", 30, str)
    with pytest.raises(OverBudget, match=r"'c' needs about 40 MB beside 70 MB.*engine\.memory_mb is 100"):
        held.get("c", 40, str)
    assert held.names == ("pinned", "b")


def test_a_job_gets_room_from_other_models_but_not_from_its_own() -> None:
    held: Residency[str] = Residency(100, unknown)
    held.get("other", 30, str)
    held.get("own", 40, str)
    held.reserve("own", 50)
    assert held.names == ("own",)
    with pytest.raises(OverBudget, match="a job of 'own' needs about 70 MB beside 40 MB"):
        held.reserve("own", 70)
    assert held.names == ("own",)


def test_without_a_budget_the_machine_sets_the_limit() -> None:
    free = [50]
    held: Residency[str] = Residency(0, lambda: free[0])
    held.get("a", 40, str)
    free[0] = 10
    with pytest.raises(OverBudget, match="'b' needs about 40 MB, but only 10 MB of memory are free"):
        held.get("b", 40, str)
    assert held.names == ()  # what could be given up was


def test_a_model_that_fails_to_load_is_not_kept() -> None:
    held: Residency[str] = Residency(0, unknown)

    def fail() -> str:
        raise KeyError("broken")

    with pytest.raises(KeyError):
        held.get("a", 1, fail)
    assert held.names == ()


def test_a_control_group_counts_where_it_is_tighter(tmp_path: Path) -> None:
    meminfo = tmp_path / "meminfo"
    meminfo.write_text("MemTotal: 9999999 kB\nMemAvailable: 2048000 kB\n")
    assert available_mb(meminfo, tmp_path) == 2000
    (tmp_path / "memory.max").write_text(f"{500 * 2**20}\n")
    (tmp_path / "memory.current").write_text(f"{100 * 2**20}\n")
    assert available_mb(meminfo, tmp_path) == 400
    (tmp_path / "memory.max").write_text("max\n")
    assert available_mb(meminfo, tmp_path) == 2000
    assert available_mb(tmp_path / "none", tmp_path) is None
    give_back()


def test_the_room_for_a_new_model() -> None:
    """Pinned models keep theirs; the others give it up."""
    assert Residency[str](0, unknown).room_mb() is None
    held: Residency[str] = Residency(100, lambda: 45)
    held.get("pinned", 30, str, pinned=True)
    held.get("loose", 20, str)
    assert held.room_mb() == 65
    held.get("more", 25, str)
    assert held.room_mb() == 70
    assert (held.find("loose"), held.find("other")) == ("", None)


def test_what_is_gathered_in_huge_pages_is_private_and_full(tmp_path: Path) -> None:
    maps = tmp_path / "smaps"

    def region(head: str, resident: int, flags: str) -> str:
        return f"{head}\nSize: {8192} kB\nRss: {resident} kB\nVmFlags: {flags} \n"

    at = 5 * HUGE
    whole = f"{at + 4096:x}-{at + 4 * HUGE:x} rw-p 00000000 00:00 0"
    maps.write_text(
        region(whole, 8000, "rd wr mr mw me ac")
        + region(whole, 5000, "rd wr mr mw me ac")
        + region(whole, 8000, "rd wr mr mw me ac hg")
        + region(f"{at:x}-{at + 4 * HUGE:x} rw-p 00000000 fe:00 77  /a file", 8192, "rd wr mr mw me ac")
        + region(f"{at:x}-{at + 4 * HUGE:x} r--p 00000000 00:00 0", 8192, "rd mr mw me ac")
        + region(f"{at + 4096:x}-{at + HUGE + 4096:x} rw-p 00000000 00:00 0  [heap]", 2048, "rd wr mr mw me ac")
    )
    assert regions(maps) == [(at + HUGE, at + 4 * HUGE)]
    assert regions(tmp_path / "none") == []


def test_gathering_leaves_memory_as_it_is() -> None:
    content = bytes(range(256)) * (4 * HUGE // 256)
    gather()
    assert content == bytes(range(256)) * (4 * HUGE // 256)
