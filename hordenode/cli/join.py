"""`hordenode join`, `hordenode peers`: a horde on another machine."""

from __future__ import annotations

import json
import socket
from collections.abc import Sequence
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

import click

from hordenode.cli.common import REFUSED, Failure, explained, horde_url, run, settings_for
from hordenode.cli.worker import entry_for, offer_options, serve
from hordenode.config import Settings

if TYPE_CHECKING:
    from hordenode.discovery import Peer
    from hordenode.membership import Membership

NAME_LENGTH = 30
HOW = "On the machine of the node, `hordenode invite --worker` prints the line to type here."


@click.command()
@click.argument("url", required=False, callback=horde_url)
@click.option("--code", help="The code that `hordenode invite --worker` printed there; needed once.")
@offer_options
@explained
def join(url: str | None, code: str | None, **options: Any) -> None:
    """Work for a node on another machine with this machine's engine: the first time with URL and code.

    It remembers the horde and a key of its own in the data directory, so that `hordenode join` alone goes on. Ctrl-C
    stops it once the jobs in hand are finished; a second Ctrl-C gives them back at once.
    """
    from hordenode.worker.worker import WorkerRefused

    settings = settings_for(options.pop("config"), options.pop("data_dir"))
    member = _member(settings, url, code, options["name"])
    entry = replace(entry_for(settings, member.horde, options, key=member.key), name=options["name"] or member.name)
    try:
        serve(settings, entry, patient=True)
    except WorkerRefused as error:
        raise Failure(f"{member.horde} does not take this machine any more: {error} {HOW}", REFUSED) from error


def _member(settings: Settings, url: str | None, code: str | None, name: str | None) -> Membership:
    """This machine's membership, new with a code."""
    from hordenode import membership

    if code is None:
        known = membership.load(settings.data_dir)
        if known is None:
            raise Failure(f"this machine has not joined a horde yet. {HOW}")
        if url is not None and url != known.horde:
            raise Failure(f"this machine has joined {known.horde}; {url} takes a code. {HOW}")
        return known
    if url is None:
        raise click.UsageError("The code needs the URL of its node: hordenode join URL --code CODE")
    own = settings.worker.name or socket.gethostname().partition(".")[0] or "worker"
    made = run(membership.join(settings.data_dir, url, code, name or own[:NAME_LENGTH]))
    click.echo(f"joined {made.horde} as '{made.name}'; from now on `hordenode join` is enough", err=True)
    return made


@click.command()
@click.option("--seconds", type=click.FloatRange(0.1, 60), default=3.0, show_default=True, help="How long to listen.")
@click.option("--address", multiple=True, help="Address of this machine in whose network to look [default: all].")
@click.option("--json", "as_json", is_flag=True, help="A list of objects for programs.")
@explained
def peers(seconds: float, address: tuple[str, ...], as_json: bool) -> None:
    """Show the nodes in the local network that say they are there (mDNS).

    Anybody can say so: joining one takes a code of its owner, and an address always works without being found.
    """
    from hordenode.discovery import find_peers

    found = run(find_peers(seconds, address))
    if as_json:
        click.echo(json.dumps([asdict(peer) for peer in found], indent=2, ensure_ascii=False))
        return
    if not found:
        click.echo("no node says that it is there. One does when started with `hordenode up --host 0.0.0.0`.", err=True)
    for line in table(found):
        click.echo(line)


def table(found: Sequence[Peer]) -> list[str]:
    """A line for each node: name, version, addresses."""
    width = max((len(peer.name) for peer in found), default=0)
    return [
        f"{peer.name.ljust(width)}  {peer.version or '?':10}  {' '.join(peer.urls)}"
        + ("  (this machine)" if peer.here else "")
        for peer in found
    ]
