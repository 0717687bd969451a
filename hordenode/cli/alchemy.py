"""`hordenode alchemy`: something done with a picture by a horde: a caption, its colours, an outline, a larger copy."""

from __future__ import annotations

import asyncio
import base64
import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from hordenode.catalog import FORMS, near_name
from hordenode.cli.common import Failure, config_option, data_dir_option, explained, run, settings_for
from hordenode.cli.generate import POLL_S, Where, check_output, horde_option, key_option, open_horde, write_picture
from hordenode.cli.progress import ProgressLine

if TYPE_CHECKING:
    from hordenode.client.base import HordeClient
    from hordenode.protocol.alchemy import AlchemyRequest, AlchemyStatus

ALCHEMISTS = "interrogation"


@dataclass(frozen=True, slots=True)
class Ask:
    """What to do with which picture, and where the answer goes; on the screen where no file is named."""

    form: str
    picture: str
    output: Path | None
    options: dict[str, str]

    @property
    def makes_picture(self) -> bool:
        from hordenode.domain.forms import POST_PROCESSORS

        return self.form in POST_PROCESSORS

    def request(self) -> AlchemyRequest:
        """The request as the API knows it."""
        from hordenode.protocol.alchemy import AlchemyForm, AlchemyRequest

        form = AlchemyForm(name=self.form, payload=dict(self.options))  # type: ignore[arg-type]  # checked before
        return AlchemyRequest(source_image=_source(self.picture), forms=(form,))


@click.command()
@click.argument("form")
@click.argument("picture")
@click.option("-o", "--output", type=click.Path(path_type=Path), help="File to write instead of the screen.")
@click.option(
    "--option", "options", multiple=True, metavar="NAME=VALUE", help="An option of the form; may be repeated."
)
@horde_option
@key_option
@data_dir_option
@config_option
@explained
def alchemy(
    form: str,
    picture: str,
    output: Path | None,
    options: tuple[str, ...],
    horde: str | None,
    key: str | None,
    **rest: Any,
) -> None:
    """Do FORM with PICTURE, a file or a URL.

    Without a model: palette, describe, vectorize, and for drawings of the demo model hordenode_x2, which enlarges them,
    and caption, which says what they show. With one in models.toml: caption, interrogation, nsfw, aesthetic,
    strip_background, the upscalers (RealESRGAN_x4plus, NMKD_Siax, …) and the face fixers (GFPGAN, …).

    Asks the node that runs on this data directory, or starts one for the time it takes.
    """
    where = Where(settings_for(rest["config"], rest["data_dir"]), horde, key)
    if form not in FORMS:
        raise Failure(f"there is no form '{form}'; {near_name(form, FORMS)}")
    ask = Ask(form, picture, output, dict(map(_pair, options)))
    if ask.makes_picture:
        if output is None:
            raise Failure(f"'{form}' makes a picture: say where it goes with -o FILE.")
        check_output(output)
    elif output is not None and not output.absolute().parent.is_dir():
        raise Failure(f"{output}: there is no folder {output.absolute().parent}.")
    run(_do(where, ask))


def _pair(option: str) -> tuple[str, str]:
    name, mark, value = option.partition("=")
    if not mark or not name:
        raise Failure(f"--option needs the form NAME=VALUE, as in colors=5; '{option}' is not.")
    return name, value


def _source(picture: str) -> str:
    """A URL as it is, a file as base64."""
    if picture.startswith(("http://", "https://")):
        return picture
    try:
        return base64.b64encode(Path(picture).read_bytes()).decode()
    except OSError as error:
        raise Failure(f"{picture}: cannot be read ({error.strerror}).") from error


async def _do(where: Where, ask: Ask) -> None:
    request = ask.request()
    async with open_horde(where) as horde:
        await _check_form(horde, ask.form)
        accepted = await horde.request_alchemy(request)
        if accepted.message:
            click.echo(accepted.message, err=True)
        found = (await _finished(horde, accepted.id)).forms[0]
        if found.state != "done":
            raise Failure(f"'{ask.form}' was given up ({found.state}): no worker could do it. The node's log says why.")
        result: dict[str, Any] = found.result or {}
        value = result.get(ask.form, result)
        if ask.makes_picture and ask.output is not None:
            write_picture(ask.output, await horde.download(value))
            return
    text = value if isinstance(value, str) else json.dumps(value, indent=2, ensure_ascii=False)
    if ask.output is None:
        click.echo(text)
    else:
        ask.output.write_text(text + "\n", encoding="utf-8")


async def _check_form(horde: HordeClient, form: str) -> None:
    """Refuse a form that nobody does, instead of waiting for it."""
    done = sorted({name for worker in await horde.workers(ALCHEMISTS) for name in worker.forms or ()})
    if form not in done:
        does = f"Workers do now: {', '.join(done)}." if done else "No alchemist is there now."
        raise Failure(
            f"no worker does '{form}'. {does} A node of yours does it with a model: name one in models.toml as "
            f'[alchemy."{form}"].'
        )


async def _finished(horde: HordeClient, alchemy_id: str) -> AlchemyStatus:
    """Show how it goes until it is done; Ctrl-C cancels the request."""
    line = ProgressLine(sys.stderr)
    try:
        while (status := await horde.alchemy_status(alchemy_id)).state in ("waiting", "processing"):
            line.show("waiting for a worker" if status.forms[0].state == "waiting" else "working")
            await asyncio.sleep(POLL_S)
    except (asyncio.CancelledError, KeyboardInterrupt):
        await horde.cancel_alchemy(alchemy_id)
        raise
    finally:
        line.close()
    return status
