"""Runs work in a process of its own: a hostile or damaged graph may crash, hang or eat all memory there."""

from __future__ import annotations

import contextlib
import multiprocessing
import signal
import sys
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, TypeVar

from hordenode.engine.jobs import EngineError
from hordenode.library.errors import LibraryError

T = TypeVar("T")

MB = 2**20
SPARE_MB = 2048
TIMEOUT_S = 600.0


@dataclass(frozen=True, slots=True)
class Limits:
    """What the work may take. `memory_mb` beside what the interpreter needs; 0 = no limit. Only Linux enforces memory."""

    seconds: float = TIMEOUT_S
    memory_mb: int = 0


@dataclass(frozen=True, slots=True)
class _Refusal:
    words: str


def limits_for(folder: Path, seconds: float = TIMEOUT_S) -> Limits:
    """Generous for an honest model of this size: weights, a second copy in the kernels' order, activations."""
    size = sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())
    return Limits(seconds, SPARE_MB + 4 * (size // MB))


def contained(folder: Path, limits: Limits, work: Callable[..., T], *arguments: Any) -> T:
    """What `work(*arguments)` returns, a function of a module and values that can be pickled.

    Raises LibraryError, naming `folder`, with what went wrong. `work` calls `limit_memory` when it knows where it runs.
    """
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe(duplex=False)
    process = context.Process(target=_child, args=(theirs, folder, limits, work, arguments), daemon=True)
    process.start()
    theirs.close()
    try:
        if not ours.poll(limits.seconds):
            raise LibraryError(
                f"{folder}: did not finish loading and one short run in {limits.seconds:.0f} s. It is too large for "
                "this machine, or made to hang; --timeout gives it longer."
            )
        answer: T | _Refusal = ours.recv()
    except EOFError:
        process.join()
        raise LibraryError(_death(folder, process.exitcode, limits)) from None
    finally:
        process.kill()
        process.join()
        ours.close()
    if isinstance(answer, _Refusal):
        raise LibraryError(answer.words)
    return answer


def limit_memory(limits: Limits) -> None:
    """Limit what this process may write to, where the platform can."""
    if not limits.memory_mb or sys.platform != "linux":
        return
    import resource

    resource.setrlimit(resource.RLIMIT_DATA, (limits.memory_mb * MB, limits.memory_mb * MB))


def _death(folder: Path, code: int | None, limits: Limits) -> str:
    how = f"status {code}"
    if code is not None and code < 0:
        with contextlib.suppress(ValueError):
            how = signal.Signals(-code).name
    memory = f" It was allowed {limits.memory_mb} MB; --memory-mb allows more." if limits.memory_mb else ""
    return f"{folder}: crashed the runtime that tried to load it ({how}). It is damaged, or made to do so.{memory}"


def _child(
    answers: Connection, folder: Path, limits: Limits, work: Callable[..., Any], arguments: tuple[Any, ...]
) -> None:
    """Runs in the process of its own."""
    try:
        answers.send(work(*arguments))
    except (EngineError, LibraryError) as error:
        answers.send(_Refusal(str(error)))
    except MemoryError:
        answers.send(_Refusal(f"{folder}: needs more than {limits.memory_mb} MB to run. --memory-mb allows more."))
    except Exception as error:  # a pipeline fed with nonsense may fail in any way
        answers.send(
            _Refusal(f"{folder}: cannot be run ({type(error).__name__}: {error}). It is not what its files say it is.")
        )
    finally:
        answers.close()
