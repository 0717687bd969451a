"""Whatever fits our OpenAPI document, or nearly, gets an answer that fits it too: no crash, no other shape.

FUZZ_EXAMPLES says how many cases per operation (5 in an ordinary run; 40 make more than 5,000 in all).
"""

from __future__ import annotations

import asyncio
import os
import random
import threading
from collections.abc import Iterator
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis import Case, GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.core.result import Ok
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from hordenode.api.handlers.description import document
from hordenode.server import HttpServer
from tests.support.people import Cast, open_people

EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "5"))
CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]
SCHEMA = schemathesis.openapi.from_dict(document())
OPERATIONS = [result.ok() for result in SCHEMA.get_all_operations() if isinstance(result, Ok)]
CALLERS = ("admin", "moderator", "trusted", "registered", "anonymous", "shared key", "nobody", "none")
# Callers that may change nothing for those that come after: the horde stays open, and nobody is timed out.
MEEK = {"PUT /api/v2/status/modes", "POST /api/v2/operations/ipaddr", "DELETE /api/v2/users/{user_id}"}


def label(operation: Any) -> str:
    return f"{operation.method.upper()} {operation.path}"


class Served:
    """A horde with people in it, behind a socket in a thread of its own."""

    def __init__(self, template: tuple[Path, Cast], folder: Path) -> None:
        self.cast = template[1]
        self._url: Future[str] = Future()
        self._stop: Future[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = Future()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve(template, folder)))
        self._thread.start()
        self.url = self._url.result(30)

    async def _serve(self, template: tuple[Path, Cast], folder: Path) -> None:
        stop = asyncio.Event()
        try:
            async with open_people(template, folder) as people:
                server = HttpServer(people.horde.app, "127.0.0.1", 0)
                url = await server.start()
                self._stop.set_result((asyncio.get_running_loop(), stop))
                self._url.set_result(url)
                await stop.wait()
                await server.stop()
        except BaseException as error:
            if not self._url.done():
                self._url.set_exception(error)
            raise

    def close(self) -> None:
        loop, stop = self._stop.result(1)
        loop.call_soon_threadsafe(stop.set)
        self._thread.join(30)


@pytest.fixture(scope="module")
def served(people_template: tuple[Path, Cast], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    made = Served(people_template, tmp_path_factory.mktemp("fuzz") / "horde")
    yield made
    made.close()


def cast_case(case: Case[Any], operation: Any, cast: Cast, chance: random.Random) -> None:
    """Somebody asks, now and then about something that exists; and nobody waits."""
    meek = label(operation) in MEEK
    key = cast.keys[chance.choice(CALLERS[3:] if meek else CALLERS)]
    case.headers.pop("apikey", None)
    if key is not None:
        case.headers["apikey"] = key
    case.headers.pop("X-Fields", None)  # what is masked does not fit the whole schema any more
    case.query.pop("wait", None)
    for name in case.path_parameters:
        if name in cast.things and chance.random() < 0.5:
            case.path_parameters[name] = cast.things[name]


@pytest.mark.parametrize("operation", OPERATIONS, ids=label)
def test_answers_to_what_fits_the_document_fit_it_too(served: Served, operation: Any) -> None:
    fuzz(served, operation, GenerationMode.POSITIVE)


@pytest.mark.parametrize("operation", [operation for operation in OPERATIONS if operation.body], ids=label)
def test_answers_to_what_does_not_fit_it_do(served: Served, operation: Any) -> None:
    fuzz(served, operation, GenerationMode.NEGATIVE)


def fuzz(served: Served, operation: Any, mode: GenerationMode) -> None:
    """Ask as the document says, or not quite as it says."""
    chance = random.Random(operation.label)

    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        derandomize=True,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy(generation_mode=mode))
    def test(case: Case[Any]) -> None:
        cast_case(case, operation, served.cast, chance)
        case.call_and_validate(base_url=served.url, checks=CHECKS, timeout=20)

    test()


def test_the_document_has_all_operations() -> None:
    assert len(OPERATIONS) >= 90
