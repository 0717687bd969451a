"""`hordenode up`"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from hordenode.cli.common import config_option, data_dir_option, explained, run, settings_for

if TYPE_CHECKING:
    from hordenode.node import Node


@click.command()
@click.option("--host", help="Address to listen on; 0.0.0.0 serves the whole network [default: 127.0.0.1].")
@click.option("--port", type=click.IntRange(0, 65535), help="Port to listen on; 0 takes a free one [default: 7001].")
@data_dir_option
@config_option
@click.option("--no-engine", is_flag=True, help="Only coordinate workers, generate nothing here.")
@explained
def up(host: str | None, port: int | None, data_dir: Path | None, config: Path | None, no_engine: bool) -> None:
    """Run a node: a private horde that serves the AI Horde v2 API.

    Ctrl-C stops it once running jobs are finished; a second Ctrl-C stops at once.
    """
    from hordenode.connections import FILES, raise_file_limit
    from hordenode.node import run_node
    from hordenode.ops.logs import set_up_logs

    settings = settings_for(
        config, data_dir, server__host=host, server__port=port, engine__enabled=False if no_engine else None
    )
    set_up_logs(settings.log)
    raise_file_limit(settings.limits.connections + FILES)
    run(run_node(settings, _ready))


def _in_the_network(node: Node) -> Iterator[str]:
    """By which addresses others reach the node, and whether they can find it."""
    from hordenode.discovery import INSTALL
    from hordenode.lan import is_loopback, lan_addresses, reachable, url_of

    host, port = node.listening
    if is_loopback(host):
        return
    for each in reachable(host, lan_addresses()):
        yield f"for other machines: {url_of(each.address, port)} ({each.interface})"
    if node.advertiser is not None:
        places = ", ".join(f"{each.address} ({each.interface})" for each in node.advertiser.advertised())
        yield f"advertised by mDNS as '{node.advertiser.name}' at {places or 'nothing: that takes an IPv4 address'}"
    elif node.settings.server.advertise:
        yield f"not advertised: {INSTALL} lets `hordenode peers` find it"


def _ready(node: Node) -> None:
    click.echo(f"hordenode ready on {node.url}")
    click.echo(f"owner's API key: {node.owner_key_file}")
    for line in _in_the_network(node):
        click.echo(line)
    if not node.settings.engine.enabled:
        click.echo("no engine here: add workers to serve requests")
