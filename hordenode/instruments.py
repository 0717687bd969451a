"""What a node measures of itself beside what the coordinator counts: the process, the event loop, its tasks and files."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from hordenode.coordinator.context import Coordinator
from hordenode.ops import metric_names as names
from hordenode.ops import process
from hordenode.ops.lag import LagMeter
from hordenode.ops.metrics import Sample
from hordenode.ops.supervisor import Supervisor
from hordenode.server import HttpServer
from hordenode.version import __version__


def attach(co: Coordinator, supervisor: Supervisor, database: Path) -> None:
    """Have all of it measured from now on."""
    metrics = co.metrics
    metrics.collect(process.samples)
    metrics.collect(lambda: _tasks(supervisor))
    metrics.collect(lambda: _files(database))
    metrics.collect(lambda: [Sample(names.INFO, 1, (__version__,))])
    meter = LagMeter(metrics.histogram(names.LOOP_LAG).observe)
    supervisor.service("event loop lag", meter.run())


def attach_server(co: Coordinator, server: HttpServer) -> None:
    """Also of the HTTP server."""
    co.metrics.collect(lambda: [Sample(names.CONNECTIONS, server.connections)])


def _tasks(supervisor: Supervisor) -> Iterator[Sample]:
    for name, health in supervisor.health.items():
        yield Sample(names.TASK_FAILURES, health.failures, (name,))
        yield Sample(names.TASK_SECONDS, health.last_duration_s, (name,))


def _files(database: Path) -> Iterator[Sample]:
    parts = (database, database.with_name(database.name + "-wal"))
    yield Sample(names.DATABASE_BYTES, sum(part.stat().st_size for part in parts if part.exists()))
