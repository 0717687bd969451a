"""`hordenode worker add`: what to set in the workers of other programs, so that they serve this node unmodified."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import click

from hordenode.cli.common import config_option, data_dir_option, explained, horde_url, settings_for
from hordenode.cli.invite import addresses, notes
from hordenode.cli.user import with_admin


@dataclass(frozen=True, slots=True)
class Program:
    """A worker of another program (worker_protocol.md 7). settings: lines in which {url} is this node's address."""

    title: str
    settings: tuple[str, ...]
    notes: tuple[str, ...] = ()


BRIDGE_DATA = "In bridgeData.yaml:"
NO_PATH = "The address stands without /api: the worker adds it."
PROGRAMS = {
    "reGen": Program(
        "horde-worker-reGen, images",
        (BRIDGE_DATA, '  horde_url: "{url}/api/"', "or in its environment:", "  AI_HORDE_URL={url}/api/"),
        ("The address must end with /api/, with the slash.",),
    ),
    "scribe": Program("AI-Horde-Worker's scribe, texts", (BRIDGE_DATA, '  horde_url: "{url}"'), (NO_PATH,)),
    "alchemist": Program("AI-Horde-Worker's alchemist", (BRIDGE_DATA, '  horde_url: "{url}"'), (NO_PATH,)),
    "koboldcpp": Program(
        "KoboldCpp's embedded worker, texts",
        ("Address of the horde:", "  {url}"),
        (
            "KoboldCpp has the public horde's address in its source: only a patched or a newer build can go elsewhere.",
            "Any KoboldCpp works as the engine of a worker of ours, though: `hordenode join … --engine kobold`.",
        ),
    ),
}
NAMES = "Each worker needs a name that no other one has; a process that serves two kinds needs two."


@click.command()
@click.argument("kind", metavar="KIND", type=click.Choice(list(PROGRAMS), case_sensitive=False))
@click.option("--name", help="What the account, or with --user the key, is called [default: the kind].")
@click.option("--user", help="Give it a further key of this account, not an account of its own. name#id, id, or name.")
@click.option("--no-key", is_flag=True, help="Make no key: it has one.")
@click.option("--url", callback=horde_url, help="Address of this node for the worker [default: found out].")
@data_dir_option
@config_option
@explained
def add(
    kind: str,
    name: str | None,
    user: str | None,
    no_key: bool,
    url: str | None,
    data_dir: Path | None,
    config: Path | None,
) -> None:
    """Print the settings for a worker of another program, with a key. KIND: reGen, scribe, alchemist or koboldcpp.

    The key is stored nowhere: keep it. Safe beside a running node.
    """
    settings = settings_for(config, data_dir)
    address = url or next(addresses(settings), None)
    for note in notes(settings, address):
        click.echo(f"note: {note}", err=True)
    program = PROGRAMS[kind]
    click.echo(program.title)
    for line in program.settings:
        click.echo(line.format(url=address or "URL"))
    click.echo(_key_line(data_dir, config, name or kind, user, make=not no_key))
    for line in (*program.notes, NAMES):
        click.echo(f"# {line}")


def _key_line(data_dir: Path | None, config: Path | None, name: str, user: str | None, *, make: bool) -> str:
    if not make:
        return "API key: that of its account here"
    if user is not None:
        alias, key = with_admin(config, data_dir, lambda admin: admin.create_key(user, name))
        return f"API key: {key}    # the key '{name}' of {alias}"
    alias, key = with_admin(config, data_dir, lambda admin: admin.add_worker(name))
    return f"API key: {key}    # of the account {alias}, made for it"
