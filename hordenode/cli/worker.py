"""`hordenode worker`: work for a horde on another machine."""

from __future__ import annotations

import os
from dataclasses import fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from hordenode.cli.common import Failure, config_option, data_dir_option, explained, horde_url, run, settings_for
from hordenode.cli.worker_add import add
from hordenode.config import Contribution, Settings, WorkerSettings

if TYPE_CHECKING:
    from hordenode.crew import Contributed

KEY_VARIABLE = "HORDENODE_KEY"
ENGINE_KEY_VARIABLE = "HORDENODE_ENGINE_KEY"


@click.group()
def worker() -> None:
    """Work for any AI Horde with an API key, or let workers of other programs work here.

    `hordenode join` needs no key, only the code of an invitation.
    """


worker.add_command(add)


def offer_options(command: Any) -> Any:
    """What a worker may be told about its offer."""
    options = (
        click.option("--name", help="Name of the worker at the horde [default: the host's name]."),
        click.option("--image-model", "image_models", multiple=True, help="Image model to offer [default: all]."),
        click.option("--text-model", "text_models", multiple=True, help="Text model to offer [default: all]."),
        click.option("--hours", help="Local time of day in which to work, as in 22:00-06:00 [default: always]."),
        click.option("--daily-jobs", type=click.IntRange(0), help="Most jobs in a day [default: no limit]."),
        click.option(
            "--amount",
            type=click.IntRange(1, 20),
            help="Pictures or texts of one request to take at once [default: 1].",
        ),
        click.option(
            "--engine", help="Program that does the work: openai, kobold or a1111 [default: hordenode's own engine]."
        ),
        click.option("--engine-url", help="Address of that program, such as http://127.0.0.1:5001."),
        click.option("--engine-key-file", help=f"A file with its API key; or give the variable {ENGINE_KEY_VARIABLE}."),
        click.option(
            "--engine-model", "engine_models", multiple=True, help="A model of it, as NAME or NAME HERE=NAME THERE."
        ),
        data_dir_option,
        config_option,
    )
    for option in reversed(options):
        command = option(command)
    return command


@worker.command("run")
@click.option(
    "--horde",
    required=True,
    callback=horde_url,
    metavar="URL",
    help="The horde: a hordenode, or any AI Horde v2 server.",
)
@click.option("--key", help=f"API key of a user there. Better: --key-file, or the variable {KEY_VARIABLE}.")
@click.option("--key-file", type=click.Path(path_type=Path), help="A file that holds the key.")
@offer_options
@explained
def run_worker(horde: str, key: str | None, key_file: Path | None, **options: Any) -> None:
    """Serve a horde with this machine's engine.

    Ctrl-C stops it once the jobs in hand are finished; a second Ctrl-C gives them back at once.
    """
    settings = settings_for(options.pop("config"), options.pop("data_dir"))
    key = key or os.environ.get(KEY_VARIABLE, "")
    if not key and key_file is None:
        raise Failure(
            f"give the API key of a user of {horde}: --key-file FILE, --key KEY or the variable {KEY_VARIABLE}."
        )
    serve(settings, entry_for(settings, horde, options, key=key, key_file=str(key_file or "")))


def entry_for(settings: Settings, horde: str, options: dict[str, Any], **key: Any) -> Contribution:
    """The [worker] settings of this machine, with what was given on the command line, for another horde."""
    own = {option.name: getattr(settings.worker, option.name) for option in fields(WorkerSettings)}
    given = {name: value for name, value in options.items() if value}
    if given.keys() & {"engine_url", "engine_key_file", "engine_models"} and "engine" not in given:
        raise Failure("say which program that engine is: --engine openai, --engine kobold or --engine a1111.")
    return replace(Contribution(**own), horde=horde, **key, **given)


def serve(settings: Settings, entry: Contribution, *, patient: bool = False) -> None:
    """Work until stopped. patient: a horde that cannot be reached is waited for."""
    from hordenode.ops.logs import set_up_logs
    from hordenode.serving import serve_horde

    set_up_logs(settings.log)

    def ready(alias: str, contributed: Contributed) -> None:
        names = ", ".join(f"'{each.name}'" for each in contributed.workers)
        click.echo(f"hordenode works for {entry.horde} as {alias}: {names}")

    def waiting(error: Exception) -> None:
        click.echo(f"{error}; trying again until it works", err=True)

    run(serve_horde(settings, entry, ready, waiting if patient else None))
