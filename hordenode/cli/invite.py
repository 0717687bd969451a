"""`hordenode invite`"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from hordenode.cli.common import config_option, data_dir_option, explained, horde_url, settings_for
from hordenode.cli.user import with_admin
from hordenode.config import Settings


@click.group(invoke_without_command=True)
@click.option("--worker", is_flag=True, help="For a machine that is to work here; the code works once.")
@click.option(
    "--uses", type=click.IntRange(1, 10_000), default=1, show_default=True, help="How many people may use it."
)
@click.option(
    "--days",
    type=click.IntRange(0, 3650),
    help="How long; 0 means for ever, for people [default: 30; for a machine 1].",
)
@click.option("--trusted/--untrusted", default=None, help="Whether who joins is trusted [default: machines are].")
@click.option("--url", callback=horde_url, help="Address of this node for the other machine [default: found out].")
@data_dir_option
@config_option
@explained
def invite(url: str | None, data_dir: Path | None, config: Path | None, **options: Any) -> None:
    """Make a code for somebody to register with at /register, or with --worker for a machine that is to work here.

    The code, for a machine the line to type there, is the last line of the output. It is stored nowhere.
    """
    if click.get_current_context().invoked_subcommand is not None:
        return
    given = {name: value for name, value in options.items() if value is not None}
    made = with_admin(config, data_dir, lambda admin: admin.invite(**given))
    if not made.worker:
        click.echo(f"invitation {made.id}: register with this code at /register", err=True)
        click.echo(made.code)
        return
    settings = settings_for(config, data_dir)
    found = [url] if url else list(addresses(settings))
    address = found[0] if found else None
    for note in notes(settings, address):
        click.echo(f"note: {note}", err=True)
    if len(found) > 1:
        click.echo(f"note: the node is also at {', '.join(found[1:])}", err=True)
    click.echo(f"invitation {made.id}, good until {made.expires}. On the other machine:", err=True)
    click.echo(f"hordenode join {address or 'URL'} --code {made.code}")


def addresses(settings: Settings) -> Iterator[str]:
    """By which other machines reach the node of this data directory, running or as it is configured; the best first."""
    from hordenode.lan import is_loopback, lan_addresses, reachable, url_of
    from hordenode.store.lock import read_running

    if settings.server.public_url:
        yield settings.server.public_url.rstrip("/")
    running = read_running(settings.data_dir)
    host, port = settings.server.host, settings.server.port
    if running is not None and running.url:
        host, port = running.host or host, int(running.url.rpartition(":")[2])
    for each in reachable(host, lan_addresses()):
        yield url_of(each.address, port)
    if is_loopback(host):
        yield url_of(host, port)


def notes(settings: Settings, address: str | None) -> Iterator[str]:
    """What stands in the way of a machine that wants to join."""
    from urllib.parse import urlsplit

    from hordenode.lan import is_loopback
    from hordenode.store.lock import read_running

    running = read_running(settings.data_dir)
    if running is None or not running.url:
        yield "no node runs here now. `hordenode up` starts it."
    if address is None:
        yield "this node's address in the network is not known: put it in the place of URL."
    elif is_loopback(urlsplit(address).hostname or ""):
        yield "only this machine reaches the node at this address. `hordenode up --host 0.0.0.0` serves the network."


@invite.command("list")
@data_dir_option
@config_option
@explained
def list_(data_dir: Path | None, config: Path | None) -> None:
    """Show all codes that were made, without the codes: what for, until when, who came with it."""
    for item in with_admin(config, data_dir, lambda admin: admin.list_invitations()):
        what = "a machine" if item.worker else f"{item.uses} people" if item.uses != 1 else "1 person"
        state = {
            "open": f"open until {item.expires}" if item.expires else "open for ever",
            "used": f"used by {item.joined}" if item.joined else "used",
            "expired": f"expired {item.expires}",
        }[item.state]
        click.echo(f"{item.id}  {what:12}  made {item.created}  {state}")


@invite.command()
@click.argument("id")
@data_dir_option
@config_option
@explained
def revoke(id: str, data_dir: Path | None, config: Path | None) -> None:
    """Make a code worth nothing. A machine that joined with it cannot work here any more."""
    with_admin(config, data_dir, lambda admin: admin.revoke_invitation(id))
    click.echo(f"invitation {id} does not work any more", err=True)
