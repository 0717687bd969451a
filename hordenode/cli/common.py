"""What commands share: options, settings, and turning failures into one clear line and an exit status."""

from __future__ import annotations

import asyncio
import errno
import functools
import gc
import re
import sys
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit

import click

from hordenode.config import ConfigError, Settings, load_settings

T = TypeVar("T")
F = TypeVar("F", bound=Callable[..., Any])

# Exit statuses: 1 the command failed, 2 wrong usage (click's own), 3 the horde refused, 4 the horde cannot be reached.
FAILED, REFUSED, UNREACHABLE = 1, 3, 4
DISK_ERRORS = {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO}
SWITCH_INTERVAL_S = 0.0005
GC_THRESHOLDS = (20_000, 20, 50)  # the defaults look 700 objects on, which costs a tenth of the round trips

_HOST = re.compile(r"[\w.-]+|[0-9a-fA-F:.]+(%\w+)?")

data_dir_option = click.option(
    "--data-dir", type=click.Path(path_type=Path), help="Where the node keeps its data [default: see `config show`]."
)
config_option = click.option("--config", type=click.Path(path_type=Path), help="A TOML file with options.")


def horde_url(ctx: click.Context, param: click.Parameter, value: str | None) -> str | None:
    """Callback of options: the address of a horde as people type it; with a scheme, without /api and a slash at the end."""
    return None if value is None else address_of(value)


def address_of(text: str) -> str:
    """The same for a text. Raises click.BadParameter."""
    url = text.strip() if "://" in text else f"http://{text.strip()}"
    for ending in ("/", "/api/v2", "/api"):
        url = url.removesuffix(ending)
    try:
        parts = urlsplit(url)
        good = parts.scheme in ("http", "https") and parts.port != 0 and _HOST.fullmatch(parts.hostname or "")
    except ValueError:  # the port, or half a bracket
        good = None
    if not good:
        raise click.BadParameter(f"{text!r} is not the address of a horde. It looks like http://192.168.1.5:7001")
    return url


class Failure(click.ClickException):
    """One clear line on stderr and an exit status."""

    def __init__(self, message: str, status: int = FAILED) -> None:
        super().__init__(message)
        setattr(self, "exit_code", status)  # noqa: B010  click declares it for the class

    def show(self, file: Any = None) -> None:
        click.echo(f"error: {self.format_message()}", err=True)


def settings_for(config: Path | None = None, data_dir: Path | None = None, **flags: object) -> Settings:
    """Settings from file, variables and flags; `flags` are `section__name`."""
    given = {name.replace("__", "."): value for name, value in flags.items()}
    given["data.dir"] = None if data_dir is None else str(data_dir)
    try:
        return load_settings(config, flags=given).settings
    except ConfigError as error:
        raise Failure(str(error)) from error


def run(coroutine: Coroutine[Any, Any, T]) -> T:
    """Run on the fastest event loop that is installed."""
    sys.setswitchinterval(SWITCH_INTERVAL_S)
    gc.freeze()  # what is imported stays: no collection need look at it again
    gc.set_threshold(*GC_THRESHOLDS)
    try:
        import uvloop
    except ImportError:  # not on Windows
        return asyncio.run(coroutine)
    return uvloop.run(coroutine)  # type: ignore[no-any-return]


def explained(command: F) -> F:
    """What a user can do something about ends as one line; anything else is a bug and shows its traceback."""

    @functools.wraps(command)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        try:
            return command(*args, **kwargs)
        except (click.ClickException, click.Abort, click.exceptions.Exit):
            raise
        except KeyboardInterrupt:
            raise click.Abort from None
        except Exception as error:
            failure = explain(error)
            if failure is None:
                raise
            raise failure from error

    return wrapper  # type: ignore[return-value]


def explain(error: Exception) -> Failure | None:
    """The failure that an exception stands for; None for a bug. Imports what has been imported already at this point."""
    from hordenode.backup import BackupError
    from hordenode.catalog import CatalogError
    from hordenode.client.base import Unreachable
    from hordenode.discovery import DiscoveryError
    from hordenode.embedding import GenerationFailed
    from hordenode.engine.jobs import EngineError
    from hordenode.library.errors import LibraryError
    from hordenode.membership import NotAHorde
    from hordenode.protocol.errors import HordeError
    from hordenode.server import PortInUse
    from hordenode.store.errors import StoreError
    from hordenode.store.lock import DataDirInUse
    from hordenode.worker.worker import WorkerRefused

    if isinstance(error, HordeError):
        code = f" ({error.rc})" if error.rc else ""
        return Failure(f"the horde refused: {error.message}{code}", REFUSED)
    if isinstance(error, WorkerRefused):
        return Failure(f"the horde does not take this worker: {error}", REFUSED)
    if isinstance(error, Unreachable):
        return Failure(str(error), UNREACHABLE)
    known = (
        BackupError,
        CatalogError,
        LibraryError,
        GenerationFailed,
        EngineError,
        PortInUse,
        StoreError,
        DataDirInUse,
        ConfigError,
        DiscoveryError,
        NotAHorde,
    )
    if isinstance(error, known):
        return Failure(str(error))
    if isinstance(error, PermissionError):
        return Failure(f"no permission: {error.filename}. Choose another directory with --data-dir.")
    if isinstance(error, OSError) and error.filename and error.errno in DISK_ERRORS:
        return Failure(f"{error.filename}: {error.strerror}. Free or mend the disk, or choose another with --data-dir.")
    return None
