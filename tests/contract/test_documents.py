"""Documents, news and ratings: success, every refusal, and what they do (contract 18, 24, 26)."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.contract import checked, refused
from tests.support.horde import ANONYMOUS, IMAGE_POP, IMAGE_REQUEST, TEXT_REQUEST
from tests.support.staff import Staff, scenario

RATE = "POST /generate/rate/{id}"
UNKNOWN_ID = "00000000-0000-4000-8000-000000000000"


@pytest.mark.parametrize("name", ["terms", "privacy", "sponsors"])
def test_documents_are_there_as_html_and_markdown(tmp_path: Path, name: str) -> None:
    async def play(s: Staff) -> None:
        route = f"GET /documents/{name}"
        page = (await checked(s.horde, route, 200))["html"]
        assert page.startswith("<h1>") and "<p>" in page
        assert (await checked(s.horde, route, 200, query="format=html"))["html"] == page
        assert (await checked(s.horde, route, 200, query="format=markdown"))["markdown"].startswith("# ")
        await refused(s.horde, route, "BadRequest", query="format=pdf")

    scenario(tmp_path, play)


def test_the_owner_replaces_documents_by_files(tmp_path: Path) -> None:
    own = tmp_path / "documents"

    async def play(s: Staff) -> None:
        own.mkdir()
        (own / "terms.md").write_text("# Rules\n\nBe **nice** & <kind>, see [us](https://example.com/a?b=c).")
        assert (await checked(s.horde, "GET /documents/terms", 200))["html"] == (
            "<h1>Rules</h1>\n<p>Be <strong>nice</strong> &amp; &lt;kind&gt;, see "
            '<a href="https://example.com/a?b=c">us</a>.</p>'
        )
        (own / "privacy.html").write_text("<p>We know nothing.</p>")
        for kind in ("html", "markdown"):
            made = await checked(s.horde, "GET /documents/privacy", 200, query=f"format={kind}")
            assert made == {kind: "<p>We know nothing.</p>"}
        page = await s.horde.http.get("/privacy")
        assert page.headers["content-type"] == "text/html; charset=utf-8" and "We know nothing." in page.text
        assert "<h1>Rules</h1>" in (await s.horde.http.get("/terms")).text
        (own / "sponsors.md").write_bytes(b"\xff\xfe")
        answer = await s.horde.call("GET", "/documents/sponsors")
        assert answer.status_code == 500 and "documents/sponsors.md" in answer.json()["message"]

    scenario(tmp_path, play, documents=own)


def test_news_come_newest_first_from_the_owners_file(tmp_path: Path) -> None:
    own = tmp_path / "documents"

    async def play(s: Staff) -> None:
        assert len(await checked(s.horde, "GET /status/news", 200)) >= 1
        own.mkdir()
        (own / "news.toml").write_text(
            '[[news]]\ndate_published = 2026-01-02\nnewspiece = "older"\n\n'
            '[[news]]\ndate_published = "2026-03-04"\nnewspiece = "newer"\ntitle = "t"\nimportance = "High"\n'
            'tags = ["a"]\nmore_info_urls = ["https://example.com"]\n'
        )
        newer, older = await checked(s.horde, "GET /status/news", 200)
        assert (newer["date_published"], newer["newspiece"], newer["tags"]) == ("2026-03-04", "newer", ["a"])
        assert (older["date_published"], older["title"]) == ("2026-01-02", None)
        (own / "news.toml").write_text('[[news]]\nnewspiece = "no date"\n')
        answer = await s.horde.call("GET", "/status/news")
        assert answer.status_code == 500 and "date_published" in answer.json()["message"]

    scenario(tmp_path, play, documents=own)


def test_ratings_are_refused_with_the_reason_that_fits(tmp_path: Path) -> None:
    async def play(s: Staff) -> None:
        accepted = await s.horde.ok("POST", "/generate/async", IMAGE_REQUEST, key=ANONYMOUS)
        best = {"best": UNKNOWN_ID, "ratings": [{"id": UNKNOWN_ID, "rating": 7, "artifacts": 0}]}
        await refused(s.horde, RATE, "RequestNotFound", best, id=UNKNOWN_ID)
        await refused(s.horde, RATE, "AestheticsNotCompleted", best, id=accepted["id"])
        job = await s.horde.ok("POST", "/generate/pop", IMAGE_POP, key=s.somebody)
        await s.horde.ok("POST", "/generate/submit", {"id": job["id"], "generation": "R2", "seed": 1}, key=s.somebody)
        await refused(s.horde, RATE, "AestheticsNotPublic", best, id=accepted["id"])
        text = await s.horde.ok("POST", "/generate/text/async", TEXT_REQUEST, key=ANONYMOUS)
        await refused(s.horde, RATE, "RequestNotFound", best, id=text["id"])
        made = await checked(s.horde, RATE, 400, {"best": "x", "ratings": [{"rating": 11}]}, id=accepted["id"])
        assert set(made["errors"]) == {"best", "ratings.0.id", "ratings.0.rating"}

    scenario(tmp_path, play)
