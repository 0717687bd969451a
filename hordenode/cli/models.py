"""`hordenode models`"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from hordenode.catalog import KINDS, PRECISIONS
from hordenode.cli.common import FAILED, Failure, config_option, data_dir_option, explained, settings_for

if TYPE_CHECKING:
    from hordenode.cli.model_progress import ByteProgress
    from hordenode.library.shelf import Shelf

RESTART = "a running node offers it after its next start"
kind_option = click.option("--kind", type=click.Choice(list(KINDS)), help="If kinds share a name.")
timeout_option = click.option(
    "--timeout",
    type=click.FloatRange(min=1),
    default=600,
    show_default=True,
    help="Seconds for loading and a short run.",
)
memory_option = click.option(
    "--memory-mb",
    type=click.IntRange(min=0),
    help="Memory for that run; 0: no limit [default: by the size of the files].",
)


@click.group()
def models() -> None:
    """Models that this node can run."""


@models.command()
@click.argument("source")
@click.option("--name", help="As hordes shall call it [default: from the source].")
@click.option("--subfolder", default="", help="Where in the source the model stands, if it holds several.")
@click.option(
    "--precision",
    type=click.Choice(PRECISIONS),
    help="Of converted weights [default: models.toml, else int8 for text; for images fp16 on a GPU, else fp32].",
)
@click.option("--baseline", default="", help="Family of an image model as hordes call it [default: found out].")
@click.option("--like", metavar="SOURCE", help="For a single checkpoint: what lends it tokenizer and sizes.")
@click.option("--in-place", is_flag=True, help="Leave an ONNX folder where it is instead of copying it.")
@click.option("--plain", is_flag=True, help="Leave image graphs as exported instead of in a faster form.")
@click.option("--token-file", type=click.Path(path_type=Path), help="Your token for the hub [default: HF_TOKEN].")
@click.option("--export-python", type=click.Path(path_type=Path), help="A Python that has optimum-onnx, for images.")
@click.option("--make-environment", is_flag=True, help="Install optimum-onnx in the data directory if it is needed.")
@timeout_option
@memory_option
@data_dir_option
@config_option
@explained
def add(source: str, data_dir: Path | None, config: Path | None, **given: Any) -> None:
    """Add the model of SOURCE.

    SOURCE is a folder, an archive (.zip, .tar, .tar.gz, …), a .safetensors checkpoint, or hf:owner/repo@revision. A text
    checkpoint is converted here (extra `export`), an image one by optimum-onnx. An interrupted download goes on when the
    same command is given again; HF_ENDPOINT names another hub.
    """
    from hordenode.library.add import Options, add
    from hordenode.library.source import open_source

    settings = settings_for(config, data_dir)
    token_file, like, timeout_s = given.pop("token_file"), given.pop("like"), given.pop("timeout")
    with ExitStack() as open_things:
        lender = open_things.enter_context(open_source(like, token_file)) if like else None
        origin = open_things.enter_context(open_source(source, token_file))
        progress = open_things.enter_context(_progress())
        known = {key: value for key, value in given.items() if value is not None}
        options = Options(timeout_s=timeout_s, like=lender, **known)
        made = add(_shelf(settings.data_dir), origin, options, settings.engine, progress)
    for note in made.notes:
        click.echo(f"note: {note}", err=True)
    click.echo(f"added {made.kind} model '{made.name}' in {made.path}: {made.outcome}; {RESTART}")


@models.command()
@click.argument("names", nargs=-1)
@kind_option
@timeout_option
@memory_option
@data_dir_option
@config_option
@explained
def check(names: tuple[str, ...], kind: str | None, data_dir: Path | None, config: Path | None, **given: Any) -> None:
    """Verify models, load each in a process of its own, and time a short run [default: all]."""
    from hordenode.catalog import load_catalog
    from hordenode.library.check import check

    settings = settings_for(config, data_dir)
    shelf, catalog = _shelf(settings.data_dir), load_catalog(settings.data_dir)
    chosen = [shelf.find(name, kind) for name in names] or [
        (each, model) for each in KINDS for model in catalog.of(each).values()
    ]
    failed = False
    for each, model in chosen:
        with _progress() as progress:
            verdict = check(each, model, settings.engine, progress, given["timeout"], given["memory_mb"])
        click.echo(f"{'ok  ' if verdict.ok else 'FAIL'}  {each} '{model.name}': {verdict.words}")
        failed |= not verdict.ok
    if failed:
        sys.exit(FAILED)


@models.command()
@click.argument("names", nargs=-1)
@click.option("--unfinished", is_flag=True, help="Drop what interrupted downloads left.")
@kind_option
@data_dir_option
@config_option
@explained
def remove(
    names: tuple[str, ...], unfinished: bool, kind: str | None, data_dir: Path | None, config: Path | None
) -> None:
    """Remove models: the entry in models.toml, and the files if `models add` brought them."""
    if not names and not unfinished:
        raise click.UsageError("Name a model, or give --unfinished.")
    shelf = _shelf(settings_for(config, data_dir).data_dir)
    for name in names:
        found, model = shelf.find(name, kind)
        files = shelf.remove(found, name)
        left = "" if files else f"; its files stay in {model.path}"
        click.echo(f"removed {found} model '{name}'{left}; a running node drops it at its next start")
    if unfinished:
        click.echo(f"dropped {shelf.drop_unfinished()} unfinished downloads")


@models.command()
@click.argument("names", nargs=-1, required=True)
@click.option("-o", "--output", type=click.Path(path_type=Path), required=True, help="The archive to write (.tar).")
@kind_option
@data_dir_option
@config_option
@explained
def export(names: tuple[str, ...], output: Path, kind: str | None, data_dir: Path | None, config: Path | None) -> None:
    """Write models to one archive, for a machine without internet."""
    from hordenode.library.transfer import export

    if output.exists() or output.suffix.lower() != ".tar":
        raise Failure(f"{output}: give the name of a new file that ends in .tar.")
    shelf = _shelf(settings_for(config, data_dir).data_dir)
    with _progress() as progress:
        export([shelf.find(name, kind) for name in names], output, progress)
    click.echo(f"wrote {output}; `hordenode models import` takes it on the other machine")


@models.command("import")
@click.argument("archive", type=click.Path(path_type=Path))
@data_dir_option
@config_option
@explained
def import_models(archive: Path, data_dir: Path | None, config: Path | None) -> None:
    """Add the models of an archive that `models export` wrote."""
    from hordenode.library.transfer import import_archive

    if not archive.is_file():
        raise Failure(f"{archive}: there is no such file.")
    settings = settings_for(config, data_dir)
    with _progress() as progress:
        added = import_archive(_shelf(settings.data_dir), archive, settings.engine, progress)
    for kind, name in added:
        click.echo(f"added {kind} model '{name}'; {RESTART}")


@models.command("list")
@data_dir_option
@config_option
@explained
def list_models(data_dir: Path | None, config: Path | None) -> None:
    """List the models of models.toml, and whether their files are there."""
    from hordenode.catalog import load_catalog

    data_dir = settings_for(config, data_dir).data_dir
    catalog = load_catalog(data_dir)
    rows = [("KIND", "NAME", "STATE", "WHERE")]
    for kind in KINDS:
        rows += [(kind, name, _state(model.path), str(model.path)) for name, model in catalog.of(kind).items()]
    widths = [max(len(row[i]) for row in rows) for i in range(3)]
    for row in rows:
        click.echo("  ".join(cell.ljust(width) for cell, width in zip(row[:3], widths, strict=True)) + "  " + row[3])
    left = len(_shelf(data_dir).unfinished())
    if left:
        click.echo(
            f"{left} unfinished: the same `models add` goes on, `models remove --unfinished` drops what is there"
        )


def _shelf(data_dir: Path) -> Shelf:
    from hordenode.library.shelf import Shelf

    return Shelf(data_dir)


@contextmanager
def _progress() -> Iterator[ByteProgress]:
    from hordenode.cli.model_progress import ByteProgress

    progress = ByteProgress(sys.stderr)
    try:
        yield progress
    finally:
        progress.close()


def _state(path: Path) -> str:
    return "ready" if path.is_dir() else "files missing"
