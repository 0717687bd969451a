"""What contract tests share."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.aio import run
from tests.support.people import Cast, found


@pytest.fixture(scope="session")
def people_template(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Cast]:
    """A horde's folder with somebody of each sort in it, to copy (tests/support/people.py)."""
    folder = tmp_path_factory.mktemp("people") / "horde"
    return folder, run(found(folder))
