"""Teams, and the records of workers that are in them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.contract.schema import validate
from tests.support.aio import run
from tests.support.horde import TEXT_POP, TEXT_REQUEST
from tests.support.people import Cast, People, open_people

Template = tuple[Path, Cast]


async def details(people: People) -> Any:
    team = await people.horde.ok("GET", people.path("/teams/{team_id}"))
    validate("GET /teams/{team_id}", 200, team)
    return team


async def join(people: People, team: str) -> Any:
    worker = await people.horde.ok("GET", f"/workers/name/{TEXT_POP['name']}")
    answer = await people.ok("registered", "PUT", f"/workers/{worker['id']}", {"team": team})
    validate("PUT /workers/{worker_id}", 200, answer)
    return answer


def test_a_team_counts_what_its_workers_do_while_they_are_in_it(people_template: Template, tmp_path: Path) -> None:
    async def one_job(people: People) -> float:
        await people.ok("other", "POST", "/generate/text/async", TEXT_REQUEST)
        job = await people.ok("registered", "POST", "/generate/text/pop", TEXT_POP)
        body = {"id": job["id"], "generation": "x" * 400}
        return float((await people.ok("registered", "POST", "/generate/text/submit", body))["reward"])

    async def main() -> None:
        async with open_people(people_template, tmp_path) as people:
            await one_job(people)
            assert await join(people, people.cast.things["team_id"]) == {"team": "first team"}
            reward = await one_job(people)
            team = await details(people)
            assert (team["requests_fulfilled"], team["kudos"]) == (1, reward)
            assert team["creator"].startswith("trusted#") and team["worker_count"] == 1
            assert [(w["name"], w["online"]) for w in team["workers"]] == [("writer", True)]
            assert team["models"] == [{"name": "model one", "count": 1}]
            worker = await people.horde.ok("GET", f"/workers/{team['workers'][0]['id']}")
            assert worker["team"] == {"name": "first team", "id": team["id"]}
            assert await join(people, "") == {"team": "None"}
            await one_job(people)
            team = await details(people)
            assert (team["requests_fulfilled"], team["worker_count"], team["models"]) == (1, 0, [])

    run(main())


def test_a_team_is_changed_and_deleted_and_its_workers_stay(people_template: Template, tmp_path: Path) -> None:
    async def main() -> None:
        async with open_people(people_template, tmp_path) as people:
            await join(people, people.cast.things["team_id"])
            path = people.path("/teams/{team_id}")
            changed = await people.ok("trusted", "PATCH", path, {"info": "those in red"})
            validate("PATCH /teams/{team_id}", 200, changed)
            assert changed == {"id": people.cast.things["team_id"], "name": "first team", "info": "those in red"}
            assert (await people.ok("moderator", "PATCH", path, {"name": "FIRST team"}))["name"] == "FIRST team"
            listed = await people.horde.ok("GET", "/teams")
            validate("GET /teams", 200, listed)
            assert [(team["name"], team["info"]) for team in listed] == [("FIRST team", "those in red")]
            gone = await people.ok("trusted", "DELETE", path)
            validate("DELETE /teams/{team_id}", 200, gone)
            assert gone == {"deleted_id": people.cast.things["team_id"], "deleted_name": "FIRST team"}
            worker = await people.horde.ok("GET", f"/workers/name/{TEXT_POP['name']}")
            assert worker["team"] == {"name": None, "id": None}
            assert await people.horde.ok("GET", "/teams") == []
            again = await people.ok("trusted", "POST", "/teams", {"name": "first team", "info": "again"})
            validate("POST /teams", 200, again)

    run(main())


def test_a_name_of_spaces_is_none(people_template: Template, tmp_path: Path) -> None:
    async def main() -> None:
        async with open_people(people_template, tmp_path) as people:
            for method, path, who in (
                ("POST", "/teams", "trusted"),
                ("PUT", people.path("/workers/{worker_id}"), "registered"),
            ):
                answer = await people.horde.call(method, path, {"name": "      "}, key=people.cast.keys[who])
                assert answer.status_code == 400 and list(answer.json()["errors"]) == ["name"]
            made = await people.ok("trusted", "POST", "/teams", {"name": "  a team  "})
            assert made["name"] == "a team"

    run(main())
