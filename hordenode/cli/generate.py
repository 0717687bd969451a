"""`hordenode generate`: a picture or a text from a horde, from the node that runs here, or from one started for it."""

from __future__ import annotations

import asyncio
import re
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

import click

from hordenode.cli.common import Failure, config_option, data_dir_option, explained, run, settings_for
from hordenode.cli.progress import ProgressLine
from hordenode.config import Settings

if TYPE_CHECKING:
    from hordenode.client.base import HordeClient
    from hordenode.client.events import Event
    from hordenode.client.http import HttpHorde
    from hordenode.embedding import ImageAsk, TextAsk
    from hordenode.node import Node
    from hordenode.ops.events import JobProgress
    from hordenode.protocol.common import RequestAccepted, RequestCheck

POLL_S = 0.2
SIDE = 64
horde_option = click.option("--horde", metavar="URL", help="Ask this horde instead of the node of this data directory.")
key_option = click.option("--key", help="API key for --horde [default: anonymous].")
model_option = click.option("--model", help="Which model [default: any].")


@dataclass(frozen=True, slots=True)
class Where:
    """Which horde to ask."""

    settings: Settings
    horde: str | None
    key: str | None


@click.group()
def generate() -> None:
    """Make a picture or a text.

    Asks the node that runs on this data directory, or starts one for the time it takes.
    """


@generate.command()
@click.argument("prompt")
@click.option(
    "-o", "--output", type=click.Path(path_type=Path), required=True, help="File to write (.webp, .png, .jpg)."
)
@click.option("--negative", default="", help="What the picture should not show.")
@click.option("--steps", type=click.IntRange(1, 500), default=20, show_default=True)
@click.option("--seed", type=int, help="The same seed gives the same picture.")
@click.option("--size", default="512x512", show_default=True, help="WIDTHxHEIGHT, multiples of 64.")
@click.option("--sampler", default="k_euler_a", show_default=True)
@model_option
@horde_option
@key_option
@data_dir_option
@config_option
@explained
def image(prompt: str, output: Path, horde: str | None, key: str | None, **options: Any) -> None:
    """Draw a picture of PROMPT."""
    from hordenode.embedding import ImageAsk

    where = Where(settings_for(options.pop("config"), options.pop("data_dir")), horde, key)
    width, height = parse_size(options.pop("size"))
    check_sampler(options["sampler"])
    ask = ImageAsk(prompt, negative_prompt=options.pop("negative"), width=width, height=height, **options)
    check_output(output)
    seed, model = run(_image(where, ask, output))
    click.echo(f"{output}  (model {model}, seed {seed})")
    about = _about(where, model)
    if about:
        click.echo(f"{model} knows {about}.", err=True)


@generate.command()
@click.argument("prompt")
@click.option("--max-length", type=click.IntRange(16, 4096), default=80, show_default=True, help="Tokens to write.")
@click.option("--temperature", type=click.FloatRange(0, 5), help="0 always takes the likeliest word.")
@click.option(
    "--chat/--raw",
    default=None,
    help="Answer PROMPT by the model's chat template, or go on with it [default: questions and requests are answered].",
)
@model_option
@horde_option
@key_option
@data_dir_option
@config_option
@explained
def text(prompt: str, chat: bool | None, horde: str | None, key: str | None, **options: Any) -> None:
    """Continue the text PROMPT, or answer it. Prints what is written as it comes."""
    from hordenode.cli.chat import is_answered
    from hordenode.embedding import TextAsk

    where = Where(settings_for(options.pop("config"), options.pop("data_dir")), horde, key)
    ours = chat is not None or horde is None  # of other hordes' models nothing is known
    answered = ours and is_answered(prompt, where.settings.data_dir, options["model"], chat)
    run(_text(where, TextAsk(prompt, chat=answered, **options)))


def _about(where: Where, model: str) -> str:
    """What a model of our own catalog knows, in one line; nothing for a model of another horde."""
    from hordenode.catalog import load_catalog

    known = None if where.horde else load_catalog(where.settings.data_dir).image.get(model)
    return known.about if known else ""


def parse_size(size: str) -> tuple[int, int]:
    """`512x256` as (512, 256). Failure for anything that no horde takes."""
    match = re.fullmatch(r"(\d{1,5})[x×](\d{1,5})", size.strip().lower())
    if match is None:
        raise Failure(f"--size needs the form WIDTHxHEIGHT, as in 512x512; '{size}' is not.")
    width, height = int(match[1]), int(match[2])
    for side in (width, height):
        if side % SIDE or not SIDE <= side <= 3072:
            raise Failure(f"--size {size}: width and height must be multiples of {SIDE} between {SIDE} and 3072.")
    return width, height


def check_sampler(name: str) -> None:
    """Failure for a sampler that no horde knows."""
    from hordenode.protocol.image import Sampler

    known = get_args(Sampler)
    if name not in known:
        raise Failure(f"--sampler {name}: it must be one of {', '.join(known)}.")


def check_output(output: Path) -> None:
    """Find out before the work, not after it, that the file cannot be written."""
    if output.suffix.lower() not in (".webp", ".png", ".jpg", ".jpeg"):
        raise Failure(f"{output}: the name must end in .webp, .png or .jpg.")
    if not output.absolute().parent.is_dir():
        raise Failure(f"{output}: there is no folder {output.absolute().parent}.")


@asynccontextmanager
async def open_horde(where: Where) -> AsyncIterator[HordeClient]:
    """The horde to ask: the one named, the node that runs on this data directory, or one started for this call."""
    from hordenode.client.http import HttpHorde

    if where.horde is None:
        running = _running(where.settings)
        if running is None:
            async with _node(where.settings) as node:
                yield node.local
            return
        key_file = where.settings.data_dir / "owner.key"
        url, key = running, where.key or (key_file.read_text().strip() if key_file.is_file() else None)
    else:
        url, key = where.horde, where.key
    remote = HttpHorde(url, key) if key else HttpHorde(url)
    try:
        yield remote
    finally:
        await remote.aclose()


def _is_running(where: Where) -> bool:
    """Whether there is a horde to ask, so that none need be started."""
    return where.horde is not None or _running(where.settings) is not None


def _running(settings: Settings) -> str | None:
    """The URL of the node that runs on this data directory."""
    from hordenode.store.lock import read_running

    running = read_running(settings.data_dir) if settings.data_dir.is_dir() else None
    return running.url if running is not None and running.url else None


@asynccontextmanager
async def _node(settings: Settings) -> AsyncIterator[Node]:
    from hordenode.config import LogSettings
    from hordenode.node import Node
    from hordenode.ops.logs import set_up_logs

    set_up_logs(LogSettings(level="error"))
    click.echo("starting a node for this…", err=True)
    async with Node(settings) as node:
        yield node


async def _image(where: Where, ask: ImageAsk, output: Path) -> tuple[str, str]:
    """Draw and write; returns (seed, model)."""
    from hordenode.protocol.common import RequestAccepted

    async with open_horde(where) as horde:
        await _check_model(horde, "image", ask.model)
        accepted = await horde.request_image(ask.request())
        assert isinstance(accepted, RequestAccepted)
        await _wait(horde, accepted, horde.cancel_image)
        done = (await horde.image_status(accepted.id)).generations
        if not done:
            raise Failure("the request was given up: no worker could finish it. The node's log says why.")
        write_picture(output, await horde.download(done[0].img))
        return done[0].seed, done[0].model


async def _text(where: Where, ask: TextAsk) -> None:
    from hordenode.client.http import HttpHorde
    from hordenode.protocol.common import RequestAccepted

    if not _is_running(where):
        await _stream(where.settings, ask)
        return
    async with open_horde(where) as horde:
        await _check_model(horde, "text", ask.model)
        accepted = await horde.request_text(ask.request())
        assert isinstance(accepted, RequestAccepted)
        shown = await _show_tokens(horde, accepted, ask.chat) if isinstance(horde, HttpHorde) else ""
        await _wait(horde, accepted, horde.cancel_text)
        done = (await horde.text_status(accepted.id)).generations
        if not done:
            raise Failure("the request was given up: no worker could finish it. The node's log says why.")
        _finish(shown, done[0].text.lstrip() if ask.chat else done[0].text)


class _Shown:
    """Prints pieces of a text as they come; of an answer not the space before it."""

    def __init__(self, chat: bool) -> None:
        self._chat = chat
        self.text = self.printed = ""

    def add(self, piece: str) -> None:
        self.text += piece
        piece = piece.lstrip() if self._chat and not self.printed else piece
        click.echo(piece, nl=False)
        self.printed += piece


async def _show_tokens(horde: HttpHorde, accepted: RequestAccepted, chat: bool) -> str:
    """Print what is written as it comes, where the horde tells; returns what was printed. Ctrl-C cancels the request."""
    from hordenode.protocol.errors import HordeError

    shown = _Shown(chat)
    try:
        async for event in horde.events(accepted.id):
            shown.add(_piece(event, shown.text))
            if event.name in ("request_done", "job_faulted") or (event.name == "snapshot" and not _pending(event)):
                break
    except HordeError:
        pass  # another kind of horde: the text comes as a whole
    except (asyncio.CancelledError, KeyboardInterrupt):
        await horde.cancel_text(accepted.id)
        raise
    return shown.printed


def _piece(event: Event, shown: str) -> str:
    """What an event adds to what is shown; a snapshot has everything from the beginning."""
    if event.name == "job_progress":
        return str(event.data.get("text", ""))
    if event.name == "snapshot":
        text = "".join(str(job["text"]) for job in event.data["jobs"])
        return text.removeprefix(shown) if text.startswith(shown) else ""
    return ""


def _pending(snapshot: Event) -> bool:
    return any(not request["done"] for request in snapshot.data["requests"])


def _finish(shown: str, text: str) -> None:
    """Print the rest; the whole text once more where the pieces were not the result."""
    click.echo(text.removeprefix(shown) if text.startswith(shown) else f"\n{text}")


async def _stream(settings: Settings, ask: TextAsk) -> None:
    """Print what a node of our own writes, piece by piece; once more as a whole where the pieces were not the result."""
    from hordenode.embedding import GenerationFailed

    shown = _Shown(ask.chat)

    def show(progress: JobProgress) -> None:
        shown.add(progress.text)

    async with _node(settings) as node:
        await _check_model(node.local, "text", ask.model)
        try:
            made = await node.generate_text(**asdict(ask), progress=show)
        except GenerationFailed as error:
            raise Failure(str(error)) from error
    _finish(shown.printed, made.text)


async def _check_model(horde: HordeClient, kind: str, model: str | None) -> None:
    """Refuse a model that nobody serves, with the nearest names, instead of waiting for it (ARCHITECTURE 3.16)."""
    if model is None:
        return
    import difflib

    names = [active.name for active in await horde.models(kind)]
    if model not in names:
        near = difflib.get_close_matches(model, names, 3, 0.3) or names[:5]
        hint = f" Served now: {', '.join(near)}." if near else " No worker serves one now."
        raise Failure(f"no worker serves the {kind} model '{model}'.{hint}")


async def _wait(horde: HordeClient, accepted: RequestAccepted, cancel: Callable[[str], Awaitable[object]]) -> None:
    """Show how it goes until it is done; Ctrl-C cancels the request."""
    line = ProgressLine(sys.stderr)
    if accepted.message:
        line.note(accepted.message)
    try:
        while not (check := await horde.check(accepted.id)).done:
            line.show(_words(check), check.wait_time if check.processing else None)
            await asyncio.sleep(POLL_S)
    except (asyncio.CancelledError, KeyboardInterrupt):
        await cancel(accepted.id)
        raise
    finally:
        line.close()


def _words(check: RequestCheck) -> str:
    if check.processing:
        return "generating"
    if not check.is_possible:
        return "waiting for a worker that can do it"
    return f"waiting, place {check.queue_position} in the queue"


def write_picture(output: Path, webp: bytes) -> None:
    """Write the picture in the format that the name asks for."""
    if output.suffix.lower() == ".webp":
        output.write_bytes(webp)
        return
    import io

    from PIL import Image

    with Image.open(io.BytesIO(webp)) as picture:
        opaque = output.suffix.lower() != ".png"
        (picture.convert("RGB") if opaque else picture).save(output)
