"""Dialects as backends of the engine. Calls run on an event loop of their own, in a thread of their own.

Pictures come one at a time, as the engine's thread asks for them; texts run side by side (`writings.py`).
"""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

from hordenode.catalog import Catalog, near_name
from hordenode.config import ConfigError, EngineSettings
from hordenode.engine.backends import Report
from hordenode.engine.jobs import (
    AlchemyJob,
    EngineError,
    ImageJob,
    Job,
    ModelInfo,
    ProviderReport,
    Result,
    UnknownModel,
    UnsupportedJob,
)
from hordenode.engine.remote.a1111 import A1111
from hordenode.engine.remote.connection import Connection
from hordenode.engine.remote.dialect import Pictures, Texts
from hordenode.engine.remote.kobold import Kobold
from hordenode.engine.remote.loop import Loop
from hordenode.engine.remote.openai import OpenAI
from hordenode.engine.remote.writings import Writings

START_S = 15.0  # for the program to say what models it has


class Remote:
    """What both kinds of backends share: the models of a program, under the names that the owner gives them."""

    def __init__(self, dialect: Texts | Pictures, where: str, settings: EngineSettings) -> None:
        self._loop = Loop()
        self._dialect = dialect
        self._where = where
        try:
            found = self._loop.run(asyncio.wait_for(dialect.models(), START_S))
            self._names, self._models = _named(found, settings.models, where)
        except TimeoutError as error:
            self.close()
            raise EngineError(f"{where} does not say within {START_S:.0f} s what models it has.") from error
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            self.close()
            raise EngineError(f"{where} does not answer as {dialect.name} does: {error!r}") from error
        except BaseException:
            self.close()
            raise

    def models(self) -> tuple[ModelInfo, ...]:
        return self._models

    def provider(self) -> ProviderReport:
        return ProviderReport(f"{self._dialect.name} at {self._where}", 0)

    def warm(self) -> None:
        """It is up to the program."""

    def close(self) -> None:
        self._loop.run(self._dialect.aclose())
        self._loop.close()

    def theirs(self, model: str) -> str:
        """The program's own name of a model; any, where the job says none. Raises UnknownModel."""
        if not model and self._names:
            return next(iter(self._names.values()))
        if model not in self._names:
            raise UnknownModel(f"There is no model '{model}' at {self._where}; {near_name(model, sorted(self._names))}")
        return self._names[model]


class RemotePictures(Remote):
    """See EngineBackend."""

    def __init__(self, dialect: Pictures, where: str, settings: EngineSettings) -> None:
        self._pictures = dialect
        super().__init__(dialect, where, settings)

    def run(self, job: Job, report: Report) -> Result:
        if not isinstance(job, ImageJob):
            raise _refused(job, self._dialect.name)
        return self._loop.run(self._pictures.draw(replace(job, model=self.theirs(job.model)), report))


class RemoteTexts(Remote):
    """See EngineBackend and HasBatches."""

    def __init__(self, dialect: Texts, where: str, settings: EngineSettings) -> None:
        super().__init__(dialect, where, settings)
        self._models = tuple(replace(model, max_batch=settings.parallel) for model in self._models)
        self.texts = Writings(dialect, self._loop, self.theirs, settings.parallel)

    def run(self, job: Job, report: Report) -> Result:
        raise _refused(job, self._dialect.name)


def openai_backend(catalog: Catalog, settings: EngineSettings) -> RemoteTexts:
    """`engine.backend = "openai"`."""
    root = _url(settings).rstrip("/").removesuffix("/chat/completions").removesuffix("/completions")
    connection = _connect(f"{root.removesuffix('/v1')}/v1", settings)
    return RemoteTexts(OpenAI(connection, settings.ignore, settings.context), connection.name, settings)


def kobold_backend(catalog: Catalog, settings: EngineSettings) -> RemoteTexts:
    """`engine.backend = "kobold"`."""
    connection = _connect(_url(settings).rstrip("/").removesuffix("/api"), settings)
    return RemoteTexts(Kobold(connection, settings.ignore, settings.context), connection.name, settings)


def a1111_backend(catalog: Catalog, settings: EngineSettings) -> RemotePictures:
    """`engine.backend = "a1111"`."""
    root = _url(settings).rstrip("/").removesuffix("/sdapi/v1").removesuffix("/sdapi")
    connection = _connect(root, settings, basic=True)
    return RemotePictures(A1111(connection), connection.name, settings)


def _url(settings: EngineSettings) -> str:
    if not settings.url:
        raise ConfigError(f'engine.backend = "{settings.backend}" needs engine.url, such as http://127.0.0.1:5001')
    return settings.url


def _connect(url: str, settings: EngineSettings, *, basic: bool = False) -> Connection:
    key = settings.key
    if settings.key_file and not key:
        try:
            key = Path(settings.key_file).expanduser().read_text(encoding="utf-8").strip()
        except OSError as error:
            raise ConfigError(f"engine.key_file: {settings.key_file} cannot be read: {error}") from error
    return Connection(url, key, timeout=settings.timeout, basic=basic)


def _named(
    found: list[ModelInfo], mapping: tuple[str, ...], where: str
) -> tuple[dict[str, str], tuple[ModelInfo, ...]]:
    """(advertised name -> the program's, what is advertised). mapping: `advertised=theirs`; none advertises all."""
    if not found:
        raise EngineError(f"{where} has no model.")
    known = {model.name: model for model in found}
    names = {}
    for entry in mapping or tuple(known):
        advertised, _, theirs = entry.partition("=") if mapping else (entry, "", entry)
        names[advertised.strip()] = theirs.strip() or advertised.strip()
    for theirs in names.values():
        if theirs not in known:
            raise EngineError(f"engine.models: {where} has no model '{theirs}'; {near_name(theirs, sorted(known))}")
    return names, tuple(replace(known[theirs], name=advertised) for advertised, theirs in names.items())


def _refused(job: Job, dialect: str) -> UnsupportedJob:
    kind = "forms of alchemy" if isinstance(job, AlchemyJob) else "pictures" if isinstance(job, ImageJob) else "texts"
    return UnsupportedJob(f"{dialect} makes no {kind}.")
