"""`hordenode doctor`"""

from __future__ import annotations

import os
import shutil
import socket
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from hordenode.cli.common import FAILED, config_option, data_dir_option, explained, settings_for
from hordenode.config import Settings
from hordenode.version import __version__

if TYPE_CHECKING:
    from hordenode.engine.jobs import ProviderReport

GIB = 2**30
LOW_DISK_GIB = 1.0


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the report. state: ok, note, or problem."""

    state: str
    what: str
    text: str


@click.command()
@click.option(
    "--repair", is_flag=True, help="Put the data directory right and make its database compact. Stop the node first."
)
@data_dir_option
@config_option
@explained
def doctor(repair: bool, data_dir: Path | None, config: Path | None) -> None:
    """Check this machine: which provider runs and why the others do not, memory, models, data directory, port."""
    settings = settings_for(config, data_dir)
    if repair:
        from hordenode.repair import repair_data

        for line in repair_data(settings.data_dir):
            click.echo(line)
        return
    found = list(examine(settings))
    width = max(len(finding.what) for finding in found)
    marks = {"ok": "ok  ", "note": "note", "problem": "FAIL"}
    for finding in found:
        click.echo(f"{marks[finding.state]}  {finding.what.ljust(width)}  {finding.text}")
    if any(finding.state == "problem" for finding in found):
        sys.exit(FAILED)


def examine(settings: Settings) -> Iterator[Finding]:
    """Everything that `doctor` reports, in its order."""
    yield Finding("ok", "version", f"hordenode {__version__}, Python {sys.version.split()[0]} on {sys.platform}")
    yield from _engine(settings)
    yield _memory()
    yield from _data(settings.data_dir)
    yield _port(settings)
    yield from _network(settings)


def _engine(settings: Settings) -> Iterator[Finding]:
    from hordenode.catalog import KINDS, load_catalog
    from hordenode.engine.backends import load_backend
    from hordenode.engine.jobs import EngineError

    if not settings.engine.enabled:
        yield Finding("note", "engine", "switched off (engine.enabled)")
        return
    catalog = load_catalog(settings.data_dir)
    try:
        backend = load_backend(settings.engine.backend, catalog, settings.engine)
    except EngineError as error:
        yield Finding("problem", "engine", str(error))
        return
    report = backend.provider()
    threads = f", {report.threads} threads" if report.threads else ""
    yield Finding("ok", "engine", f"{settings.engine.backend} on {report.provider}{threads}")
    for provider, reason in _refused(settings, report):
        yield Finding("note", f"not on {provider}", reason)
    for kind in KINDS:
        for name, model in catalog.of(kind).items():
            there = model.path.is_dir()
            text = f"{name}: {model.path}" + ("" if there else " is missing: install the model or remove its entry")
            yield Finding("ok" if there else "problem", f"{kind} model", text)


def _refused(settings: Settings, report: ProviderReport) -> tuple[tuple[str, str], ...]:
    """Of our own engine every provider that is not in use; another one says what it likes."""
    if settings.engine.backend != "onnx":
        return report.refused
    from hordenode.engine.runtime import Runtime

    return Runtime(settings.engine).survey()


def _memory() -> Finding:
    if not hasattr(os, "sysconf"):
        return Finding("note", "memory", "not known on this platform")
    total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / GIB
    return Finding("ok" if total >= 2 else "note", "memory", f"{total:.1f} GiB, {os.cpu_count()} processors")


def _data(data_dir: Path) -> Iterator[Finding]:
    from hordenode.store.lock import read_running

    existing = next(folder for folder in (data_dir, *data_dir.parents) if folder.exists())
    if not os.access(existing, os.W_OK):
        yield Finding("problem", "data directory", f"{data_dir} cannot be written: choose another with --data-dir")
        return
    free = shutil.disk_usage(existing).free / GIB
    state = "ok" if free >= LOW_DISK_GIB else "problem"
    yield Finding(state, "data directory", f"{data_dir}, {free:.1f} GiB free")
    yield from _database(data_dir)
    running = read_running(data_dir) if data_dir.exists() else None
    if running is not None:
        yield Finding("note", "node", f"running: process {running.pid}, {running.url or 'not listening'}")


def _database(data_dir: Path) -> Iterator[Finding]:
    """Whether everything in the database agrees. Read-only, also beside a running node."""
    from hordenode.store.invariants import broken_rules

    database = data_dir / "hordenode.db"
    if not database.is_file():
        return
    broken = broken_rules(database)
    size = database.stat().st_size / 2**20
    if broken:
        text = f"{'; '.join(broken)}: stop the node, make a backup, run `hordenode doctor --repair`"
        yield Finding("problem", "database", text)
    else:
        yield Finding("ok", "database", f"sound, {size:.1f} MB")


def _port(settings: Settings) -> Finding:
    host, port = settings.server.host, settings.server.port
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        socket.create_server((host, port), family=family).close()
    except OSError as error:
        return Finding(
            "note", "port", f"{host}:{port} is taken ({error.strerror}); `hordenode up --port 0` takes a free one"
        )
    return Finding("ok", "port", f"{host}:{port} is free")


def _network(settings: Settings) -> Iterator[Finding]:
    """Other machines: what this one joined, and whether nodes in the network can be found."""
    from hordenode.discovery import INSTALL, available
    from hordenode.membership import load

    member = load(settings.data_dir)
    if member is not None:
        yield Finding("ok", "joined", f"{member.horde} as '{member.name}': `hordenode join` works for it")
    if available():
        yield Finding("ok", "mDNS", "`hordenode peers` finds nodes in the local network")
    else:
        yield Finding("note", "mDNS", f"{INSTALL} lets nodes in the local network find each other")
