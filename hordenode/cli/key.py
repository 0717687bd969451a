"""`hordenode key`"""

from __future__ import annotations

from pathlib import Path

import click

from hordenode.cli.common import config_option, data_dir_option, explained
from hordenode.cli.user import with_admin


@click.group()
def key() -> None:
    """API keys of an account: several, each with a name. WHO: name#id, id, or name."""


@key.command()
@click.argument("who")
@click.argument("name")
@click.option("--rotate", is_flag=True, help="Replace the key of this name, which stops working at once.")
@data_dir_option
@config_option
@explained
def create(who: str, name: str, rotate: bool, data_dir: Path | None, config: Path | None) -> None:
    """Make a further key. It is the last line of the output and is stored nowhere: keep it."""
    alias, made = with_admin(config, data_dir, lambda admin: admin.create_key(who, name, rotate=rotate))
    click.echo(f"key '{name}' of {alias}", err=True)
    click.echo(made)


@key.command("list")
@click.argument("who")
@data_dir_option
@config_option
@explained
def list_(who: str, data_dir: Path | None, config: Path | None) -> None:
    """Show when the keys of an account were made and last used."""
    for item in with_admin(config, data_dir, lambda admin: admin.list_keys(who)):
        click.echo(f"{item.name:24} made {item.created}  last used {item.last_used or 'never'}")


@key.command()
@click.argument("who")
@click.argument("name")
@data_dir_option
@config_option
@explained
def revoke(who: str, name: str, data_dir: Path | None, config: Path | None) -> None:
    """Make a key stop working, at once and for good."""
    with_admin(config, data_dir, lambda admin: admin.revoke_key(who, name))
    click.echo(f"key '{name}' does not work any more", err=True)
