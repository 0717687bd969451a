"""`hordenode bench` measures the coordinator and the engine of this machine."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path


def bench(tmp_path: Path, *arguments: str) -> str:
    command = [sys.executable, "-m", "hordenode", "bench", "--data-dir", str(tmp_path), "--seconds", "0.3", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=True).stdout


def test_everything_is_measured_and_printed_as_json(tmp_path: Path) -> None:
    figures = json.loads(bench(tmp_path, "--json"))
    assert all(figure["value"] > 0 for figure in figures)
    measured = {figure["what"]: figure["unit"] for figure in figures}
    assert measured == {
        "start": "s",
        "text round trips": "/s",
        "checks": "/s",
        "heartbeats": "/s",
        "first picture, with loading": "s",
        "steps at 512x512": "/s",
        "a picture of 20 steps": "s",
        "tokens, one text": "/s",
        "tokens, 8 texts side by side": "/s",
    }


def test_one_part_can_be_measured_alone_and_comes_as_a_table(tmp_path: Path) -> None:
    table = bench(tmp_path, "--only", "coordinator")
    assert table.startswith("coordinator\n") and "text round trips" in table and "tokens" not in table
