"""`hordenode models`"""

from __future__ import annotations

from pathlib import Path

import click

from hordenode.cli.common import config_option, data_dir_option, explained, settings_for


@click.group()
def models() -> None:
    """Models that this node can run."""


@models.command("list")
@data_dir_option
@config_option
@explained
def list_models(data_dir: Path | None, config: Path | None) -> None:
    """List the models of models.toml, and whether their files are there."""
    from hordenode.catalog import load_catalog

    catalog = load_catalog(settings_for(config, data_dir).data_dir)
    rows = [("KIND", "NAME", "STATE", "WHERE")]
    rows += [("image", name, _state(model.path), str(model.path)) for name, model in catalog.image.items()]
    rows += [("text", name, _state(model.path), str(model.path)) for name, model in catalog.text.items()]
    widths = [max(len(row[i]) for row in rows) for i in range(3)]
    for row in rows:
        click.echo("  ".join(cell.ljust(width) for cell, width in zip(row[:3], widths, strict=True)) + "  " + row[3])


def _state(path: Path) -> str:
    return "ready" if path.is_dir() else "files missing"
