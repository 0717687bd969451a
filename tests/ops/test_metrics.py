"""Metrics: the text format, one declaration each, cheap counting, and a dashboard that shows only what exists."""

from __future__ import annotations

import json
import re
import timeit
from pathlib import Path
from typing import Any

import httpx
import pytest
from click.testing import CliRunner

from hordenode.cli.main import main as cli
from hordenode.coordinator import watch
from hordenode.coordinator.live import News
from hordenode.ops.metric_names import FAMILIES
from hordenode.ops.metrics import Family, Metrics, Sample
from tests.support.aio import run
from tests.support.horde import ANONYMOUS, TEXT_POP, TEXT_REQUEST, open_horde
from tests.support.node_process import node_process

COUNTER = Family("t_total", "counter", "Things.", ("kind",))
HISTOGRAM = Family("t_seconds", "histogram", "Times.", (), (0.1, 1.0))
GAUGE = Family("t_now", "gauge", "Now.", ("name",))
LINE = re.compile(r'([a-zA-Z_:][\w:]*)(\{(?:\w+="(?:[^"\\]|\\.)*",?)*\})? (\S+)')


def parse(text: str) -> dict[str, float]:
    """Series to value; AssertionError for what is not the format."""
    found = {}
    for line in text.splitlines():
        if not line.startswith("#"):
            match = LINE.fullmatch(line)
            assert match, line
            found[match[1] + (match[2] or "")] = float(match[3])
    return found


def test_counters_histograms_and_samples_are_written_as_prometheus_reads_them() -> None:
    metrics = Metrics()
    metrics.counter(COUNTER, "a").add(2.5)
    metrics.counter(COUNTER, 'quoted "b"\n').add()
    times = metrics.histogram(HISTOGRAM)
    for value in (0.05, 0.1, 0.5, 3.0):
        times.observe(value)
    metrics.collect(lambda: [Sample(GAUGE, 7, ("x",))])
    text = metrics.render([Sample(GAUGE, 8, ("y",))])
    assert parse(text) == {
        't_total{kind="a"}': 2.5,
        't_total{kind="quoted \\"b\\"\\n"}': 1,
        't_seconds_bucket{le="0.1"}': 2,
        't_seconds_bucket{le="1"}': 3,
        't_seconds_bucket{le="+Inf"}': 4,
        "t_seconds_sum": 3.65,
        "t_seconds_count": 4,
        't_now{name="x"}': 7,
        't_now{name="y"}': 8,
    }
    assert text.count("# TYPE t_now gauge\n") == 1 and "# HELP t_seconds Times.\n" in text


def test_counting_costs_less_than_a_microsecond() -> None:
    metrics = Metrics()
    counter, times = (
        metrics.counter(COUNTER, "a"),
        metrics.histogram(FAMILIES["hordenode_http_request_seconds"], "", ""),
    )
    for count in (counter.add, lambda: times.observe(0.02)):
        assert min(timeit.repeat(count, number=10_000, repeat=5)) / 10_000 < 1e-6


def test_every_metric_has_a_name_that_says_its_unit_and_an_explanation() -> None:
    for name, family in FAMILIES.items():
        assert re.fullmatch(r"(hordenode|process)_[a-z_]+", name) and family.text.endswith("."), name
        assert name.endswith("_total") == (family.kind == "counter"), name
        assert bool(family.bounds) == (family.kind == "histogram"), name


def test_a_node_counts_what_it_does(tmp_path: Path) -> None:
    async def main() -> None:
        async with open_horde(tmp_path) as horde:
            worker, key = await horde.worker_key(), await horde.user()
            await horde.ok("POST", "/generate/text/async", TEXT_REQUEST | {"models": ["other"]}, key=key)
            await horde.ok("POST", "/generate/text/async", TEXT_REQUEST, key=key)
            horde.clock.advance(3)
            job = (await horde.ok("POST", "/generate/text/pop", TEXT_POP, key=worker))["id"]
            watch.report(horde.co, job, News(5, 80, "x"), here=True)
            horde.clock.advance(7)
            await horde.ok("POST", "/generate/text/submit", {"id": job, "generation": "x"}, key=worker)
            await horde.call("POST", "/generate/text/submit", {"id": job, "generation": "x"}, key=worker)
            found = parse((await horde.http.get("/metrics")).text)
            route = 'method="POST",route="/api/v2/generate/text/submit"'
            assert found[f'hordenode_http_requests_total{{{route},status="200"}}'] == 1
            assert found[f'hordenode_http_requests_total{{{route},status="400"}}'] == 1
            assert found[f"hordenode_http_request_seconds_count{{{route}}}"] == 2
            assert found['hordenode_queue_jobs{kind="text"}'] == 1
            assert found['hordenode_queue_model_jobs{kind="text",model="other"}'] == 1
            assert found['hordenode_requests_total{kind="text"}'] == 2
            assert found['hordenode_jobs_total{outcome="done"}'] == 1
            assert found['hordenode_job_wait_seconds_sum{kind="text"}'] == 3.0
            assert found['hordenode_job_run_seconds_sum{kind="text"}'] == 7.0
            assert found['hordenode_workers{kind="text"}'] == 1
            assert found['hordenode_kudos_moved_total{direction="earned"}'] > 0
            assert found['hordenode_engine_steps_total{kind="text"}'] == 5
            assert found["hordenode_store_batch_writes_count"] > 5
            assert found["hordenode_http_requests_in_flight"] == 0

    run(main())


def test_metrics_are_for_this_machine_and_for_admins(tmp_path: Path) -> None:
    async def main() -> None:
        async with open_horde(tmp_path, metrics_allow=()) as horde:
            admin, other = await horde.user(admin=True), await horde.user("other")
            for key, status in ((admin, 200), (other, 403), (None, 403), (ANONYMOUS, 403)):
                answer = await horde.http.get("/metrics", headers={"apikey": key} if key else {})
                assert answer.status_code == status, key

    run(main())


@pytest.fixture(scope="module")
def scraped(tmp_path_factory: pytest.TempPathFactory) -> dict[str, float]:
    """What a node with an engine shows after a text."""
    with node_process(tmp_path_factory.mktemp("metrics") / "data") as node:
        body: Any = {"prompt": "Once", "params": {"max_length": 16}}
        headers = {"apikey": node.owner_key}
        request = httpx.post(f"{node.url}/api/v2/generate/text/async", json=body, headers=headers).json()["id"]
        while not httpx.get(f"{node.url}/api/v2/generate/text/status/{request}?wait=10", timeout=20).json()["done"]:
            pass
        answer = httpx.get(f"{node.url}/metrics")
        assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
        return parse(answer.text)


def test_a_running_node_shows_every_metric(scraped: dict[str, float]) -> None:
    shown = {re.sub(r"\{.*", "", series) for series in scraped}
    names = {re.sub(r"_(bucket|sum|count)$", "", name) for name in shown} | shown
    absent = set(FAMILIES) - names
    assert not absent - {"hordenode_queue_model_jobs"}, "only what waits for a model is sometimes not there"
    assert scraped["process_resident_memory_bytes"] > 2**20
    assert scraped["hordenode_http_connections"] >= 1
    assert scraped["hordenode_event_loop_lag_seconds_count"] >= 1


def test_the_dashboard_asks_only_for_metrics_that_exist(scraped: dict[str, float]) -> None:
    result = CliRunner().invoke(cli, ["metrics", "dashboard"])
    assert result.exit_code == 0
    dashboard = json.loads(result.output)
    queries = [target["expr"] for panel in dashboard["panels"] for target in panel.get("targets", ())]
    assert len(queries) >= 20
    series = {
        name: [name] if family.kind != "histogram" else [f"{name}_{part}" for part in ("bucket", "sum", "count")]
        for name, family in FAMILIES.items()
    }
    known = {one for names in series.values() for one in names}
    used: set[str] = set()
    for query in queries:
        names = set(re.findall(r"\b(?:hordenode|process)_\w+", query))
        assert names and names <= known, query
        for name, labels in re.findall(r"(\w+)\{([^}]*)\}", query):
            family = FAMILIES[name] if name in FAMILIES else FAMILIES[name.rpartition("_")[0]]
            assert {label.partition("=")[0].strip("!~ ") for label in labels.split(",")} <= {*family.labels, "le"}
        used |= names
    for name in set(FAMILIES) - {"hordenode_info", "process_start_time_seconds"}:
        assert used & set(series[name]), f"nothing shows {name}"


def test_the_list_explains_every_metric() -> None:
    result = CliRunner().invoke(cli, ["metrics", "list"])
    assert result.exit_code == 0
    for name, family in FAMILIES.items():
        assert name in result.output and family.text in result.output
