"""Ten minutes of mixed load on a node in a process of its own: python -m tests.bench.mixed_load [--seconds 600]; prints JSON.

Bars: nothing wrong for the well-behaved; memory within 5 % of what it was after the first minute, open files likewise.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import tempfile
from pathlib import Path

from tests.support.mixed_load import MixedLoad, write_config
from tests.support.node_process import node_process

SAMPLE_S = 5


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=float, default=600.0)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with node_process(folder / "data", "--no-engine", "--config", str(write_config(folder))) as node:

            async def load() -> dict[str, object]:
                report = await MixedLoad(node).run(options.seconds, round(options.seconds / SAMPLE_S))
                warm = 60 // SAMPLE_S
                memory, files = report.memory[warm:], report.files[warm:]
                return {
                    "done": report.done,
                    "wrong": dict(report.wrong),
                    "bad": dict(report.bad),
                    "memory_mb": [round(rss / 2**20, 1) for rss in report.memory[:: max(1, len(report.memory) // 20)]],
                    "memory_spread": round(max(memory) / min(memory) - 1, 4) if memory else None,
                    "files": [min(files), max(files)] if files else report.files,
                }

            print(json.dumps(asyncio.run(load())))


if __name__ == "__main__":
    main()
