"""`hordenode bench`"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from hordenode.cli.common import config_option, data_dir_option, explained, run, settings_for
from hordenode.config import Settings

if TYPE_CHECKING:
    from hordenode.bench import Figure


@click.command()
@click.option("--only", type=click.Choice(["coordinator", "engine"]), help="Measure one of the two.")
@click.option("--seconds", type=click.FloatRange(0.1, 600), default=5.0, show_default=True, help="Time per figure.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of a table.")
@data_dir_option
@config_option
@explained
def bench(only: str | None, seconds: float, as_json: bool, data_dir: Path | None, config: Path | None) -> None:
    """Measure this machine: the coordinator's round trips, the engine's steps and tokens a second."""
    from hordenode.bench import document, table
    from hordenode.config import LogSettings
    from hordenode.ops.logs import set_up_logs

    settings = settings_for(config, data_dir)
    set_up_logs(LogSettings(level="error"))
    figures = run(_measure(settings, only, seconds))
    click.echo(document(figures) if as_json else table(figures))


async def _measure(settings: Settings, only: str | None, seconds: float) -> list[Figure]:
    from hordenode import bench as measure

    figures: list[Figure] = []
    sources = []
    if only != "engine":
        sources.append(measure.coordinator(seconds))
    if only != "coordinator":
        sources.append(measure.engine(settings, seconds))
    for source in sources:
        async for figure in source:
            click.echo(f"{figure.part}: {figure.what} …", err=True)
            figures.append(figure)
    return figures
