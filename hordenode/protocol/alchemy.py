"""Alchemy (interrogation) requests, jobs and results (behaviour.md 12)."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from msgspec import UNSET, Meta, UnsetType

from hordenode.protocol.common import UNKNOWN_AGENT, WorkerMessage
from hordenode.protocol.image import PostProcessor
from hordenode.protocol.wire import Answer, FreeObject, Int64, Request, storable

OwnForm = Literal["hordenode_x2"]  # the enlargement that the demo model brings; other hordes do not know it
FormName = Literal[
    "caption", "interrogation", "nsfw", "vectorize", "palette", "describe", "aesthetic", PostProcessor, OwnForm
]


class AlchemyForm(Request, frozen=True, kw_only=True):
    """One thing to do with the picture; the payload's keys are the form's own options."""

    name: FormName
    payload: FreeObject | UnsetType = UNSET

    def __post_init__(self) -> None:
        if self.payload:
            storable(self.payload)


class AlchemyRequest(Request, frozen=True, kw_only=True):
    """POST interrogate/async. source_image: a URL or base64."""

    source_image: str
    forms: tuple[AlchemyForm, ...] = ()
    trusted_workers: bool = False
    slow_workers: bool = True
    webhook: Annotated[str, Meta(min_length=10, max_length=1024)] | UnsetType = UNSET


class AlchemyAccepted(Answer, frozen=True, kw_only=True):
    """202: the forms wait. `message` only when nobody can do one of them now."""

    id: str
    message: str | UnsetType = UNSET


class AlchemyFormStatus(Answer, frozen=True, kw_only=True):
    """Where a form stands. result: an object keyed by the form's name, once it is done."""

    form: str
    state: str
    result: dict[str, Any] | UnsetType = UNSET


class AlchemyStatus(Answer, frozen=True, kw_only=True):
    """Where a request stands, with the results so far."""

    state: str
    forms: tuple[AlchemyFormStatus, ...]

    @property
    def done(self) -> bool:
        """Whether nothing more will come. Not on the wire."""
        return self.state not in ("waiting", "processing")


class AlchemyPop(Request, frozen=True, kw_only=True):
    """An alchemist's offer. Forms of unknown names are ignored: newer workers offer more (worker_protocol.md 7).

    amount: how many forms it takes at once.
    """

    name: str
    forms: tuple[str, ...] = ()
    priority_usernames: tuple[str, ...] = ()
    bridge_agent: Annotated[str, Meta(max_length=1000)] = UNKNOWN_AGENT
    threads: Annotated[int, Meta(ge=1, le=100)] = 1
    amount: Int64 = 1
    max_tiles: Annotated[int, Meta(ge=1, le=256)] = 80


class AlchemyJobForm(Answer, frozen=True, kw_only=True):
    """One form to do. payload: its options, numbers and booleans as text too; r2_upload: for forms that make pictures."""

    id: str
    form: str
    payload: dict[str, str] | UnsetType = UNSET
    source_image: str
    r2_upload: str | UnsetType = UNSET


class AlchemySkipped(Answer, frozen=True, kw_only=True):
    """How many waiting forms a pop passed over, by reason. A reason without forms is absent."""

    worker_id: int | UnsetType = UNSET
    untrusted: int | UnsetType = UNSET
    bridge_version: int | UnsetType = UNSET


class AlchemyJob(Answer, frozen=True, kw_only=True):
    """The answer to an alchemy pop. `AlchemyJob()` says that there is nothing to do."""

    forms: tuple[AlchemyJobForm, ...] | None = None
    skipped: AlchemySkipped = AlchemySkipped()

    @property
    def id(self) -> str | None:
        """Of the first form; None without one, as the jobs of the other kinds have it. Not on the wire."""
        return self.forms[0].id if self.forms else None

    @property
    def ids(self) -> tuple[str, ...]:
        """Of all forms. Not on the wire."""
        return tuple(form.id for form in self.forms or ())

    @property
    def messages(self) -> tuple[WorkerMessage, ...]:
        """Alchemists get none."""
        return ()


class AlchemySubmit(Request, frozen=True, kw_only=True):
    """The result of a form, keyed by its name; `R2` as a value after an upload. Any state but `faulted` is a success."""

    id: str
    result: FreeObject
    state: str = "ok"

    def __post_init__(self) -> None:
        storable(self.result)
