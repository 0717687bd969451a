"""`hordenode user`"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from hordenode.cli.common import config_option, data_dir_option, explained, run, settings_for
from hordenode.config import Settings


@click.group()
def user() -> None:
    """Accounts of this horde."""


@user.command()
@click.argument("name")
@click.option("--kudos", type=float, default=0.0, show_default=True, help="Kudos to start with.")
@click.option("--trusted", is_flag=True, help="May serve requests for trusted workers.")
@click.option("--moderator", is_flag=True, help="May manage other people's accounts and workers.")
@click.option(
    "--concurrency", type=click.IntRange(0, 500), default=30, show_default=True, help="Jobs that may wait at once."
)
@data_dir_option
@config_option
@explained
def create(name: str, data_dir: Path | None, config: Path | None, **options: Any) -> None:
    """Make an account. Its API key is the last line of the output and is stored nowhere: keep it.

    Safe beside a running node.
    """
    alias, key = run(_create(settings_for(config, data_dir), name, options))
    click.echo(f"user {alias}", err=True)
    click.echo(key)


async def _create(settings: Settings, name: str, options: dict[str, Any]) -> tuple[str, str]:
    from hordenode.opening import open_admin

    async with open_admin(settings) as admin:
        return await admin.create_user(name, **options)
