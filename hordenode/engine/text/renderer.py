"""Renders templates that came with a model, in a process of its own: one may loop for ever or eat all memory.

The sandbox of Jinja keeps a template from Python; time and memory only a process can bound. It starts with the first
conversation, and anew after a template that had to be stopped.
"""

from __future__ import annotations

import contextlib
import json
import multiprocessing
import sys
import threading
from datetime import datetime
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnProcess
from typing import Any

from hordenode.engine.jobs import UnsupportedJob

SECONDS, STARTING = 2.0, 20.0
MEMORY_MB = 512
LONGEST = 2**20  # characters of a template and of what it makes


class Renderer:
    """Renders one at a time, from any thread."""

    def __init__(self, seconds: float = SECONDS, memory_mb: int = MEMORY_MB) -> None:
        self._seconds = seconds
        self._memory_mb = memory_mb
        self._process: SpawnProcess | None = None
        self._pipe: Connection | None = None
        self._turn = threading.Lock()

    def render(self, what: str, template: str, variables: dict[str, Any]) -> str:
        """The text that a template makes. Raises UnsupportedJob, which begins with `what`."""
        if len(template) > LONGEST:
            raise UnsupportedJob(f"{_capital(what)} is longer than {LONGEST} characters.")
        with self._turn:
            pipe = self._ready()
            try:
                pipe.send((template, variables))
                if not pipe.poll(self._seconds):
                    self._stop()
                    raise UnsupportedJob(f"{_capital(what)} did not come to an end in {self._seconds:g} s.")
                text, trouble = pipe.recv()
            except (EOFError, OSError):
                self._stop()
                raise UnsupportedJob(f"{_capital(what)} broke the process that renders it.") from None
        if trouble:
            raise UnsupportedJob(f"{_capital(what)} refuses this conversation: {trouble}")
        return str(text)

    def close(self) -> None:
        """End the process."""
        with self._turn:
            self._stop()

    def _ready(self) -> Connection:
        """The pipe to the process, once that is there."""
        if self._pipe is not None:
            return self._pipe
        context = multiprocessing.get_context("spawn")
        ours, theirs = context.Pipe()
        self._process = context.Process(
            target=_serve, args=(theirs, self._memory_mb), name="hordenode-templates", daemon=True
        )
        self._process.start()
        theirs.close()
        self._pipe = ours
        with contextlib.suppress(EOFError, OSError):
            if ours.poll(STARTING) and ours.recv() == "ready":
                return ours
        self._stop()
        raise UnsupportedJob("The process that renders chat templates does not start.")

    def _stop(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.join()
        if self._pipe is not None:
            self._pipe.close()
        self._process = self._pipe = None


def _capital(what: str) -> str:
    return what[:1].upper() + what[1:]


def _serve(pipe: Connection, memory_mb: int) -> None:
    """Runs in the process of its own, until the pipe is closed."""
    environment = _environment()
    _limit_memory(memory_mb)
    pipe.send("ready")
    with contextlib.suppress(EOFError, KeyboardInterrupt):
        while True:
            template, variables = pipe.recv()
            pipe.send(_render(environment, template, variables))


def _render(environment: Any, template: str, variables: dict[str, Any]) -> tuple[str, str]:
    """(text, trouble): one of them is empty."""
    from jinja2 import TemplateError

    size, parts = 0, []
    try:
        for part in environment.from_string(template).generate(**variables):
            size += len(part)
            if size > LONGEST:
                return "", f"it makes more than {LONGEST} characters."
            parts.append(part)
    except TemplateError as error:
        return "", f"{error.message or type(error).__name__}."
    except MemoryError:
        return "", "it needs too much memory."
    except Exception as error:  # a template may divide by zero, or recurse
        return "", f"{type(error).__name__}: {error}."
    return "".join(parts), ""


def _environment() -> Any:
    """Jinja as templates of Hugging Face expect it (its documentation, "Writing a chat template")."""
    from jinja2 import TemplateError
    from jinja2.ext import loopcontrols
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    def raise_exception(message: str) -> None:
        raise TemplateError(message)

    def tojson(value: Any, indent: int | None = None) -> str:
        return json.dumps(value, ensure_ascii=False, indent=indent)

    environment = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True, extensions=[loopcontrols])
    environment.filters["tojson"] = tojson
    environment.globals["raise_exception"] = raise_exception
    environment.globals["strftime_now"] = lambda form: datetime.now().astimezone().strftime(form)
    return environment


def _limit_memory(megabytes: int) -> None:
    """Limit what this process may write to, where the platform can."""
    if sys.platform == "linux":
        import resource

        resource.setrlimit(resource.RLIMIT_DATA, (megabytes * 2**20, megabytes * 2**20))
