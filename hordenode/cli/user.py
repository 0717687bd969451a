"""`hordenode user`"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import click

from hordenode.cli.common import config_option, data_dir_option, explained, run, settings_for
from hordenode.config import Settings

T = TypeVar("T")


def with_admin(config: Path | None, data_dir: Path | None, use: Callable[[Any], Awaitable[T]]) -> T:
    """What `use` makes of the horde in the data directory; safe beside a running node."""

    async def work(settings: Settings) -> T:
        from hordenode.admin import open_admin

        async with open_admin(settings) as admin:
            return await use(admin)

    return run(work(settings_for(config, data_dir)))


@click.group()
def user() -> None:
    """Accounts of this horde."""


@user.command()
@click.argument("name")
@click.option("--kudos", type=float, default=0.0, show_default=True, help="Kudos to start with.")
@click.option("--trusted/--untrusted", default=True, show_default=True, help="May serve requests for trusted workers.")
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
    alias, key = with_admin(config, data_dir, lambda admin: admin.create_user(name, **options))
    click.echo(f"user {alias}", err=True)
    click.echo(key)


@user.command("list")
@click.option("--page", type=click.IntRange(1), default=1, show_default=True, help="25 accounts per page.")
@click.option("--sort", type=click.Choice(["kudos", "age"]), default="age", show_default=True)
@data_dir_option
@config_option
@explained
def list_(page: int, sort: str, data_dir: Path | None, config: Path | None) -> None:
    """Show accounts, a line for each."""
    for item in with_admin(config, data_dir, lambda admin: admin.list_users(page, sort)):
        click.echo(f"{item.username:32} {item.kudos:>14.2f} kudos  {' '.join(roles(item))}".rstrip())


ROLES = ("moderator", "trusted", "flagged", "service", "education", "customizer", "special", "deleted", "pseudonymous")


def roles(item: Any) -> list[str]:
    """The roles and flags that an account has."""
    return [name for name in ROLES if getattr(item, name, None) is True]


@user.command()
@click.argument("who")
@data_dir_option
@config_option
@explained
def show(who: str, data_dir: Path | None, config: Path | None) -> None:
    """Show all about an account. WHO: name#id, id, or name."""
    _print(with_admin(config, data_dir, lambda admin: admin.show_user(who)))


def _print(shown: Mapping[str, Any], prefix: str = "") -> None:
    """A line for each field that says something."""
    for name, value in shown.items():
        if isinstance(value, Mapping):
            _print(value, f"{prefix}{name}.")
        elif isinstance(value, (list, tuple)):
            for item in value:
                click.echo(f"{prefix + name:34} {item}")
        elif value is not None:
            click.echo(f"{prefix + name:34} {_text(value)}")


def _text(value: object) -> object:
    return {True: "yes", False: "no"}[value] if isinstance(value, bool) else value


def _flag(name: str, text: str) -> Callable[[Any], Any]:
    return click.option(f"--{name}/--no-{name}", default=None, help=text)


@user.command()
@click.argument("who")
@click.option("--username", help="A new name.")
@click.option("--contact", help="How to reach the person.")
@click.option("--admin-comment", help="A note that only moderators see.")
@click.option("--kudos", type=float, help="Kudos to add, or to take when negative.")
@click.option("--monthly-kudos", type=int, help="Added to what the account gets each month.")
@click.option("--usage-multiplier", type=click.FloatRange(0.1, 10), help="What its recorded usage is multiplied by.")
@click.option("--concurrency", type=click.IntRange(0, 500), help="Jobs that may wait at once.")
@click.option(
    "--worker-invited", type=click.IntRange(0), help="Workers that it may run where workers need an invitation."
)
@_flag("moderator", "May manage other people's accounts and workers.")
@_flag("trusted", "May serve requests for trusted workers.")
@_flag("flagged", "Workers are refused, requests come last.")
@_flag("service", "May ask on behalf of others.")
@_flag("education", "A class: requests are kept safe for work.")
@_flag("customizer", "May serve models that nobody knows.")
@_flag("special", "May use special models.")
@_flag("vpn", "Stored, without effect.")
@_flag("public-workers", "Everybody sees whose its workers are.")
@click.option("--reset-suspicion", is_flag=True, default=None, help="Forget what looked suspicious.")
@click.option("--undelete", is_flag=True, default=None, help="Take back that the account was deleted.")
@data_dir_option
@config_option
@explained
def edit(who: str, data_dir: Path | None, config: Path | None, **changes: Any) -> None:
    """Change an account. WHO: name#id, id, or name. Shows what was changed."""
    given = {name: value for name, value in changes.items() if value is not None}
    _print(with_admin(config, data_dir, lambda admin: admin.edit_user(who, given)))
