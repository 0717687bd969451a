"""Documents and news: files that the owner replaces by putting others into `<data-dir>/documents` (contract 18).

`terms.md` or `terms.html` there stands for the packaged one, likewise privacy and sponsors; `news.toml` holds the news.
They are read when they are asked for, so a change needs no restart.
"""

from __future__ import annotations

from datetime import date
from pathlib import Path

import msgspec

from hordenode.coordinator.context import Coordinator
from hordenode.domain.markdown import to_html
from hordenode.protocol.errors import HordeError, PlainError
from hordenode.protocol.house import Document, NewsPiece

PACKAGED = Path(__file__).parent.parent / "documents"
FORMATS = {"html": ".html", "markdown": ".md"}
NEWS = "news.toml"


class _Piece(msgspec.Struct, forbid_unknown_fields=True):
    """One [[news]] of the file."""

    date_published: date
    newspiece: str
    title: str | None = None
    importance: str | None = None
    tags: list[str] | None = None
    more_info_urls: list[str] | None = None


class _File(msgspec.Struct, forbid_unknown_fields=True):
    news: list[_Piece] = []


def document(co: Coordinator, name: str, wanted: str) -> Document:
    """GET /documents/{name}. BadRequest for a format other than html and markdown."""
    if wanted not in FORMATS:
        raise HordeError("BadRequest", reason=f"format must be {' or '.join(FORMATS)}, not '{wanted}'.")
    text = page(co, name) if wanted == "html" else markdown(co, name)
    return Document(html=text) if wanted == "html" else Document(markdown=text)


def page(co: Coordinator, name: str) -> str:
    """A document as an HTML fragment."""
    found = _find(co, name, (".html", ".md"))
    return _read(found) if found.suffix == ".html" else to_html(_read(found))


def markdown(co: Coordinator, name: str) -> str:
    """A document as Markdown, which may be HTML."""
    return _read(_find(co, name, (".md", ".html")))


def news(co: Coordinator) -> list[NewsPiece]:
    """GET /status/news, newest first."""
    path = _find(co, Path(NEWS).stem, (Path(NEWS).suffix,))
    try:
        file = msgspec.toml.decode(_read(path), type=_File, strict=False)
    except msgspec.MsgspecError as error:
        raise PlainError(500, f"The file documents/{path.name} of this horde cannot be used: {error}") from error
    pieces = sorted(file.news, key=lambda piece: piece.date_published, reverse=True)
    return [
        NewsPiece(
            date_published=piece.date_published.isoformat(),
            newspiece=piece.newspiece,
            title=piece.title,
            importance=piece.importance,
            tags=None if piece.tags is None else tuple(piece.tags),
            more_info_urls=None if piece.more_info_urls is None else tuple(piece.more_info_urls),
        )
        for piece in pieces
    ]


def _find(co: Coordinator, name: str, suffixes: tuple[str, ...]) -> Path:
    """The owner's file, else the packaged one."""
    own = [co.rules.documents / (name + suffix) for suffix in suffixes] if co.rules.documents else []
    packaged = [PACKAGED / (name + suffix) for suffix in suffixes]
    return next(path for path in (*own, *packaged) if path.is_file())


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise PlainError(500, f"The file documents/{path.name} of this horde cannot be read.") from error
