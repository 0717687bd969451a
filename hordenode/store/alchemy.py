"""Rows about alchemy requests. Each form is a request of its own in the queue; these rows say which belong together."""

from __future__ import annotations

from dataclasses import dataclass

from hordenode.domain.entities import Job, WaitingPrompt
from hordenode.store.rows import columns, reader
from hordenode.store.tx import Tx, statement

_waiting_prompt = reader(WaitingPrompt)
_job = reader(Job)
_WIDTH = len(WaitingPrompt.__struct_fields__)


def _of(table: str, entity: type[WaitingPrompt] | type[Job]) -> str:
    return ", ".join(f"{table}.{name}" for name in columns(entity).split(", "))


INSERT = statement(
    "alchemy.insert",
    "INSERT INTO alchemy_requests (id, user_id, source, expires_ms) VALUES (:id, :user_id, :source, :expires_ms)",
)
ADD_FORM = statement(
    "alchemy.add_form",
    "INSERT INTO alchemy_forms (request_id, alchemy_id, position, form) VALUES (:request_id, :alchemy_id, :position, :form)",
)
FIND = statement("alchemy.find", "SELECT id FROM alchemy_requests WHERE id = :id AND expires_ms >= :now_ms")
FORM = statement("alchemy.form", "SELECT alchemy_id, form FROM alchemy_forms WHERE request_id = :request_id")
FORMS = statement(
    "alchemy.forms",
    f"SELECT f.form, {_of('w', WaitingPrompt)} FROM alchemy_forms f JOIN waiting_prompts w ON w.id = f.request_id"
    " WHERE f.alchemy_id = :id ORDER BY f.position",
)
RESULTS = statement(
    "alchemy.results",
    f"SELECT {_of('j', Job)} FROM alchemy_forms f JOIN jobs j ON j.request_id = f.request_id"
    " WHERE f.alchemy_id = :id AND j.state = 'done'",
)
OPEN_FORMS = statement(
    "alchemy.open_forms",
    "SELECT coalesce(sum(w.n + w.processing), 0) FROM alchemy_requests a JOIN alchemy_forms f ON f.alchemy_id = a.id"
    " JOIN waiting_prompts w ON w.id = f.request_id WHERE a.user_id = :user_id",
)
ALL_OPEN_FORMS = statement(
    "alchemy.all_open_forms",
    "SELECT coalesce(sum(w.n + w.processing), 0) FROM alchemy_forms f JOIN waiting_prompts w ON w.id = f.request_id",
)
REFRESH = statement(
    "alchemy.refresh",
    "UPDATE alchemy_requests SET expires_ms = :expires_ms WHERE expires_ms < :expires_ms"
    " AND id = (SELECT alchemy_id FROM alchemy_forms WHERE request_id = :request_id)",
)
REFRESH_FORMS = statement(
    "alchemy.refresh_forms",
    "UPDATE waiting_prompts SET expires_ms = :expires_ms WHERE expires_ms < :expires_ms AND id IN"
    " (SELECT s.request_id FROM alchemy_forms s JOIN alchemy_forms f ON f.alchemy_id = s.alchemy_id"
    " WHERE f.request_id = :request_id)",
)
OF_FORM = statement("alchemy.of_form", "SELECT alchemy_id FROM alchemy_forms WHERE request_id = :request_id")
DONE_WITH = statement(
    "alchemy.done_with",
    "SELECT f.alchemy_id, sum(w.n + w.processing) FROM alchemy_forms f JOIN alchemy_forms s ON s.alchemy_id = f.alchemy_id"
    " JOIN waiting_prompts w ON w.id = s.request_id WHERE f.request_id = :request_id GROUP BY f.alchemy_id",
)
DELETE_EXPIRED = statement(
    "alchemy.delete_expired", "DELETE FROM alchemy_requests WHERE expires_ms < :now_ms RETURNING source"
)
DELETE_OF_USER = statement("alchemy.delete_of_user", "DELETE FROM alchemy_requests WHERE user_id = :user_id")


@dataclass(frozen=True, slots=True)
class Form:
    """A form with its counters; `job`: the one that delivered it."""

    name: str
    wp: WaitingPrompt
    job: Job | None = None


def insert(tx: Tx, alchemy_id: str, *, user_id: int, source: str, expires_ms: int) -> None:
    """A new request, without forms; `source`: the key of its picture."""
    tx.run(INSERT, id=alchemy_id, user_id=user_id, source=source, expires_ms=expires_ms)


def add_form(tx: Tx, alchemy_id: str, wp: WaitingPrompt, position: int, form: str) -> None:
    """A form that stands in the queue belongs to the request."""
    tx.run(ADD_FORM, request_id=wp.id, alchemy_id=alchemy_id, position=position, form=form)


def form(tx: Tx, request_id: str) -> tuple[str, str] | None:
    """Id of the alchemy request that a form belongs to, and the form's name."""
    row = tx.one(FORM, request_id=request_id)
    return None if row is None else (row[0], row[1])


def forms(tx: Tx, alchemy_id: str, now_ms: int) -> list[Form] | None:
    """The forms of a request in the order of the request; None when there is none of this id, or it is over."""
    if tx.one(FIND, id=alchemy_id, now_ms=now_ms) is None:
        return None
    done = {job.request_id: job for job in map(_job, tx.all(RESULTS, id=alchemy_id))}
    rows = ((row[0], _waiting_prompt(row[1:])) for row in tx.all(FORMS, id=alchemy_id))
    return [Form(name, wp, done.get(wp.id)) for name, wp in rows]


def open_forms(tx: Tx, user_id: int) -> int:
    """The user's forms that wait or are worked on."""
    return int(tx.value(OPEN_FORMS, user_id=user_id))


def all_open_forms(tx: Tx) -> int:
    """Everybody's forms that wait or are worked on."""
    return int(tx.value(ALL_OPEN_FORMS))


def of_form(tx: Tx, request_id: str) -> str:
    """The id of the alchemy request that a form belongs to; its own where that is gone already."""
    found = tx.value(OF_FORM, request_id=request_id)
    return request_id if found is None else str(found)


def done_with(tx: Tx, request_id: str) -> str | None:
    """The id of the alchemy request of this form, when none of its forms waits or is worked on any more."""
    row = tx.one(DONE_WITH, request_id=request_id)
    return str(row[0]) if row is not None and row[1] == 0 else None


def refresh(tx: Tx, wp: WaitingPrompt) -> None:
    """The request and its other forms live as long as this one (contract 12: from its last pop or settlement)."""
    tx.run(REFRESH, request_id=wp.id, expires_ms=wp.expires_ms)
    tx.run(REFRESH_FORMS, request_id=wp.id, expires_ms=wp.expires_ms)


def delete_expired(tx: Tx, now_ms: int) -> list[str]:
    """Forget requests whose life is over; returns the keys of their pictures. Their forms expire at the same moment."""
    return [row[0] for row in tx.all(DELETE_EXPIRED, now_ms=now_ms)]


def delete_of_user(tx: Tx, user_id: int) -> None:
    """All of a user's requests; their forms have been deleted before."""
    tx.run(DELETE_OF_USER, user_id=user_id)
