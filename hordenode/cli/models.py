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
    for kind, entries in (("image", catalog.image), ("text", catalog.text), ("alchemy", catalog.alchemy)):
        for name, model in entries.items():
            rows.append((kind, name, "ready" if model.path.is_dir() else "files missing", str(model.path)))
    widths = [max(len(row[i]) for row in rows) for i in range(3)]
    for row in rows:
        click.echo("  ".join(cell.ljust(width) for cell, width in zip(row[:3], widths, strict=True)) + "  " + row[3])
