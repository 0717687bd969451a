"""Every refusal that the contract lists for any operation, raised over the API, and that none is forgotten."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import hordenode
from hordenode.coordinator.context import Caller
from hordenode.coordinator.worker_edits import edit_worker
from hordenode.protocol.errors import HordeError
from hordenode.protocol.workers import WorkerModify
from tests.contract import schema
from tests.contract.refusals import CASES, NEVER, Case
from tests.contract.refusals.case import check
from tests.support.aio import run
from tests.support.horde import IMAGE_REQUEST
from tests.support.people import Cast, open_people

LISTED = {(id_, rc) for id_, route in schema.ROUTES.items() for error in route["errors"] for rc in error["rc"]}


@pytest.mark.parametrize("case", CASES, ids=str)
def test_a_refusal_has_its_code(people_template: tuple[Path, Cast], tmp_path: Path, case: Case) -> None:
    async def main() -> None:
        async with open_people(people_template, tmp_path / "horde", **case.rules) as people:
            await check(case, people)
            assert await people.horde.ledger_sum() == 0

    run(main())


def test_every_code_that_the_contract_lists_has_a_case() -> None:
    cases = {(case.route, case.rc) for case in CASES}
    assert len(schema.ROUTES) == 90 and len(LISTED) == 435
    assert LISTED - cases - set(NEVER) == set(), "add cases to tests/contract/refusals"
    assert set(NEVER) - LISTED == set(), "what is not listed needs no excuse"
    assert set(NEVER) & cases == set(), "what is raised is not never raised"


def test_codes_that_are_never_sent_stand_nowhere_in_the_program() -> None:
    everywhere = {rc for _, rc in NEVER} - {rc for _, rc in LISTED - set(NEVER)}
    sources = Path(hordenode.__file__).parent.rglob("*.py")
    raised = {
        rc for path in sources for rc in re.findall(r'HordeError\(\s*"([^"]+)"', path.read_text(encoding="utf-8"))
    }
    assert len(everywhere) > 10 and len(raised) > 50
    assert everywhere & raised == {"TooLongWorkerName"}, "raised inside the process only: see below"


@pytest.mark.parametrize("change", [{"params": {"cfg_scale": "seven"}}, {"prompt": ""}], ids=["cfg", "prompt"])
def test_what_the_schema_refuses_first_names_the_member(
    people_template: tuple[Path, Cast], tmp_path: Path, change: dict[str, object]
) -> None:
    async def main() -> None:
        async with open_people(people_template, tmp_path / "horde") as people:
            answer = await people.horde.call(
                "POST", "/generate/async", IMAGE_REQUEST | change, key=people.cast.keys["registered"]
            )
            schema.validate("POST /generate/async", answer.status_code, answer.json())
            assert len(answer.json()["errors"]) == 1

    run(main())


@pytest.mark.parametrize("change", [WorkerModify(name="x" * 101), WorkerModify(info="x" * 1001)], ids=["name", "info"])
def test_inside_the_process_a_long_name_or_info_has_its_code(
    people_template: tuple[Path, Cast], tmp_path: Path, change: WorkerModify
) -> None:
    async def main() -> None:
        async with open_people(people_template, tmp_path / "horde") as people:
            caller = Caller(user_id=people.cast.ids["registered"])
            with pytest.raises(HordeError) as refused:
                await edit_worker(people.horde.co, caller, people.cast.things["worker_id"], change)
            assert refused.value.rc == "TooLongWorkerName"

    run(main())
