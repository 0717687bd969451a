"""Nothing leaves the machine: any connection to another host fails the test that makes it, or whose process does."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support import outgoing

LOG = Path(tempfile.gettempdir()) / f"hordenode-tests-outgoing-{os.getpid()}"

os.environ[outgoing.LOG] = str(LOG)
os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [str(outgoing.FOLDER), os.environ.get("PYTHONPATH")]))
if "_tests_outgoing" not in sys.modules:  # a process of pytest-xdist has it already, as all children have
    sys.addaudithook(outgoing.watch)


@pytest.fixture(autouse=True)
def nothing_leaves_the_machine() -> Iterator[None]:
    yield
    tried = outgoing.attempts(LOG)
    assert not tried, f"outgoing: {tried}"


def pytest_sessionfinish(session: pytest.Session) -> None:
    """What was tried outside of any test counts too."""
    if outgoing.attempts(LOG):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
