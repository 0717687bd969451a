"""`hordenode metrics`"""

from __future__ import annotations

from importlib.resources import files

import click

DASHBOARD = "dashboard.json"


@click.group()
def metrics() -> None:
    """What a node counts: it serves its metrics at /metrics, as Prometheus reads them."""


@metrics.command("list")
def list_metrics() -> None:
    """List every metric with its labels and its meaning."""
    from hordenode.ops.metric_names import FAMILIES

    for name, family in FAMILIES.items():
        labels = f"{{{', '.join(family.labels)}}}" if family.labels else ""
        click.echo(f"{name}{labels}  ({family.kind})\n    {family.text}")


@metrics.command()
def dashboard() -> None:
    """Print a Grafana dashboard: `hordenode metrics dashboard > hordenode.json`, then import the file in Grafana."""
    click.echo(files("hordenode.ops").joinpath(DASHBOARD).read_text(encoding="utf-8"), nl=False)
