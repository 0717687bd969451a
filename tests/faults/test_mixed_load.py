"""Some seconds of mixed load; tests/bench/mixed_load.py runs it for ten minutes."""

from __future__ import annotations

import statistics
from pathlib import Path

from tests.support.aio import run
from tests.support.mixed_load import MixedLoad, write_config
from tests.support.node_process import node_process

SECONDS, SAMPLES = 12, 24


def test_bad_clients_do_not_hurt_good_ones(tmp_path: Path) -> None:
    with node_process(tmp_path / "data", "--no-engine", "--config", str(write_config(tmp_path))) as node:

        async def load() -> MixedLoad:
            mixed = MixedLoad(node)
            await mixed.run(SECONDS, SAMPLES)
            return mixed

        report = run(load()).report
        assert not report.wrong
        assert report.done > 100
        assert len(report.bad) == 6 and min(report.bad.values()) >= 2, report.bad
        half = SAMPLES // 2
        before, after = statistics.median(report.files[:half]), statistics.median(report.files[half:])
        assert after < before * 1.5 + 20, report.files
        assert max(report.memory[half:]) < min(report.memory[half:]) * 1.2
        assert node.terminate() == 0
    assert "Traceback" not in node.logged()
