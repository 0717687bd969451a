"""What goes wrong, declared once: raised by the coordinator, rendered by the API, raised again by the HTTP client.

`ERRORS` is the table (`errors_table.py`). Three exceptions cover the three shapes on the wire (behaviour.md 1):

    HordeError(rc, …)          {"message", "rc"}       a rule of the horde said no
    ValidationFailed(errors)   {"message", "errors"}   the request does not fit the schema; no rc
    PlainError(status, …)      {"message"}             broken JSON, unknown path, rate limit, crash; no rc
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hordenode.protocol.errors_table import ERRORS, ErrorCode

__all__ = ["ERRORS", "MODELS_REFUSED", "ErrorCode", "HordeError", "PlainError", "ValidationFailed"]

# Reason for a BadRequest on pop; workers match "we cannot accept workers serving" (worker_protocol.md 7).
MODELS_REFUSED = "Sorry, we cannot accept workers serving no model: name at least one."


class HordeError(Exception):
    """A failure with a public text.

    `HordeError("InvalidJobID", id=job_id)` takes status and message from the table, the keyword arguments fill the
    message template; `message` replaces the template, `status` picks another of the statuses that the table allows.
    Raises KeyError for an rc that is not in the table and for a template field that was not given.
    """

    rc: str | None
    status: int
    message: str
    errors: Mapping[str, str] | None = None  # of a ValidationFailed: dotted path -> what is wrong there
    retry_after: int | None = None  # seconds, sent as Retry-After

    def __init__(
        self,
        rc: str,
        message: str | None = None,
        *,
        status: int | None = None,
        retry_after: int | None = None,
        **fields: object,
    ) -> None:
        code = ERRORS[rc]
        if status is not None and status not in code.statuses:
            raise ValueError(f"{rc} is sent with {code.statuses}, not {status}")
        text = message if message is not None else code.template.format(**fields)
        self._fill(rc, code.status if status is None else status, text, retry_after)

    def _fill(self, rc: str | None, status: int, message: str, retry_after: int | None) -> None:
        Exception.__init__(self, message)
        self.rc = rc
        self.status = status
        self.message = message
        self.retry_after = retry_after

    def __reduce__(self) -> tuple[Any, ...]:
        return (_restore, (self.status, self.body(), self.retry_after))

    def body(self) -> dict[str, Any]:
        """The JSON object on the wire (clients.md 1: `errors` never beside `rc`)."""
        if self.rc is not None:
            return {"message": self.message, "rc": self.rc}
        if self.errors is not None:
            return {"message": self.message, "errors": dict(self.errors)}
        return {"message": self.message}

    @staticmethod
    def from_wire(status: int, body: object, retry_after: int | None = None) -> HordeError:
        """The exception that another horde's answer stands for; an unknown rc is kept as it is.

        body: the decoded JSON, or None when there was none.
        """
        return _restore(status, body, retry_after)


class ValidationFailed(HordeError):
    """The request does not fit the schema. errors: dotted path -> what is wrong there, at least one."""

    def __init__(self, errors: Mapping[str, str], message: str | None = None) -> None:
        path, text = next(iter(errors.items()))
        more = f" (and {len(errors) - 1} more)" if len(errors) > 1 else ""
        self._fill(None, 400, message or f"Input payload validation failed: {path}: {text}{more}", None)
        self.errors = errors


class PlainError(HordeError):
    """A failure below the API's rules, with a status and a text but no rc."""

    def __init__(self, status: int, message: str, *, retry_after: int | None = None) -> None:
        self._fill(None, status, message, retry_after)


class _RemoteError(HordeError):
    """An answer of another horde whose rc or status our table does not know in this form."""

    def __init__(self, rc: str, status: int, message: str, retry_after: int | None) -> None:
        self._fill(rc, status, message, retry_after)


def _restore(status: int, body: object, retry_after: int | None) -> HordeError:
    members = body if isinstance(body, Mapping) else {}
    message = str(members.get("message") or f"HTTP status {status} without a message")
    rc, errors = members.get("rc"), members.get("errors")
    if isinstance(rc, str) and rc:
        known = ERRORS.get(rc)
        if known and status in known.statuses:
            return HordeError(rc, message, status=status, retry_after=retry_after)
        return _RemoteError(rc, status, message, retry_after)
    if isinstance(errors, Mapping) and errors:
        return ValidationFailed({str(path): str(text) for path, text in errors.items()}, message)
    return PlainError(status, message, retry_after=retry_after)
