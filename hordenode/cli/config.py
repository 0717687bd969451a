"""`hordenode config`"""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

import click

from hordenode.cli.common import Failure, config_option, data_dir_option, explained
from hordenode.config import ConfigError, Settings, load_settings

HEADER = """\
# Options of a hordenode. Use it with `hordenode up --config FILE`.
# Each can also be given as a variable, HORDENODE_SECTION_NAME, which wins over this file; flags win over both.
"""


@click.group()
def config() -> None:
    """Show the options, or write a file with them."""


@config.command()
@data_dir_option
@config_option
@explained
def show(data_dir: Path | None, config: Path | None) -> None:
    """Print every option with its value and where that comes from."""
    try:
        loaded = load_settings(config, flags={"data.dir": None if data_dir is None else str(data_dir)})
    except ConfigError as error:
        raise Failure(str(error)) from error
    rows = [
        (f"{section.name}.{option.name}", _toml(getattr(getattr(loaded.settings, section.name), option.name)))
        for section in fields(Settings)
        for option in fields(getattr(loaded.settings, section.name))
    ]
    names, values = max(len(name) for name, _ in rows), max(len(value) for _, value in rows)
    for name, value in rows:
        click.echo(f"{name.ljust(names)}  {value.ljust(values)}  {loaded.sources[name]}")
    click.echo(f"\ndata directory: {loaded.settings.data_dir}")


@config.command()
@click.argument("file", type=click.Path(path_type=Path), default=Path("hordenode.toml"))
@click.option("--force", is_flag=True, help="Replace the file if it exists.")
@explained
def init(file: Path, force: bool) -> None:
    """Write a file with every option, its meaning and its default [default: hordenode.toml]."""
    if file.exists() and not force:
        raise Failure(f"{file} exists already. Give another name, or --force to replace it.")
    file.write_text(document(), encoding="utf-8")
    click.echo(f"wrote {file}; use it with `hordenode up --config {file}`")


def document() -> str:
    """A TOML file in which every option stands with its meaning, commented out."""
    parts = [HEADER]
    settings = Settings()
    for section in fields(Settings):
        parts.append(f"\n[{section.name}]")
        values = getattr(settings, section.name)
        for option in fields(values):
            parts.append(f"# {option.metadata['text']}")
            parts.append(f"# {option.name} = {_toml(getattr(values, option.name))}")
    return "\n".join(parts) + "\n"


def _toml(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
    if isinstance(value, tuple):
        return "[" + ", ".join(_toml(item) for item in value) + "]"
    return str(value)
