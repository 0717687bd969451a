"""`hordenode config`"""

from __future__ import annotations

from dataclasses import Field, fields
from pathlib import Path
from typing import Any

import click

from hordenode.cli.common import Failure, config_option, data_dir_option, explained
from hordenode.config import ConfigError, Contribution, Settings, WorkerSettings, load_settings

HEADER = """\
# Options of a hordenode. Use it with `hordenode up --config FILE`.
# Each can also be given as a variable, HORDENODE_SECTION_NAME, which wins over this file; flags win over both.
"""
ENTRY = """\
# To let the engine serve other hordes too, write [worker] above as [[worker]] and add for each of them another one, with
# the options of [worker] and these:
# [[worker]]"""
HIDDEN = '"(not shown)"'


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
        (f"{section.name}.{option.name}", _shown(option, getattr(getattr(loaded.settings, section.name), option.name)))
        for section in _sections()
        for option in fields(getattr(loaded.settings, section.name))
    ]
    names, values = max(len(name) for name, _ in rows), max(len(value) for _, value in rows)
    for name, value in rows:
        click.echo(f"{name.ljust(names)}  {value.ljust(values)}  {loaded.sources[name]}")
    for entry in loaded.settings.contributions:
        click.echo(f"\n[[worker]] for another horde, {entry.horde}, in file {config}")
        for option in fields(entry):
            value = getattr(entry, option.name)
            if value != option.default:
                click.echo(f"  {option.name} = {_shown(option, value)}")
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
    for section in _sections():
        parts.append(f"\n[{section.name}]")
        values = getattr(settings, section.name)
        for option in fields(values):
            parts.append(f"# {option.metadata['text']}")
            parts.append(f"# {option.name} = {_toml(getattr(values, option.name))}")
    parts += ["", ENTRY]
    for option in fields(Contribution):
        if option.name not in {each.name for each in fields(WorkerSettings)}:
            parts.append(f"# {option.metadata['text']}")
            parts.append(f"# {option.name} = {_toml(option.default)}")
    return "\n".join(parts) + "\n"


def _sections() -> list[Field[Any]]:
    """The sections of the file that are there once."""
    return [section for section in fields(Settings) if section.name != "contributions"]


def _shown(option: Field[Any], value: object) -> str:
    return HIDDEN if value and option.metadata.get("secret") else _toml(value)


def _toml(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
    if isinstance(value, tuple):
        return "[" + ", ".join(_toml(item) for item in value) + "]"
    return str(value)
