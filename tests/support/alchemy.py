"""Asking for alchemy in tests: requests, pops and results whose answers fit api.json."""

from __future__ import annotations

import base64
import io
from typing import Any

from PIL import Image

from tests.contract.schema import validate
from tests.support.horde import ALCHEMY_POP, ALCHEMY_REQUEST, ANONYMOUS, Horde

ASYNC, POP, SUBMIT = "/interrogate/async", "/interrogate/pop", "/interrogate/submit"
UNKNOWN = "00000000-0000-4000-8000-000000000000"


async def checked(horde: Horde, method: str, status: int, path: str, body: Any = None, key: str | None = None) -> Any:
    """A call whose status is expected and whose answer must fit api.json."""
    answer = await horde.call(method, path, body, key=key)
    assert answer.status_code == status, answer.text[:500]
    route = path if path in (ASYNC, POP, SUBMIT) else "/interrogate/status/{id}"
    validate(f"{method} {route}", status, answer.json())
    return answer.json()


async def ask(horde: Horde, *names: str, key: str = ANONYMOUS, **change: Any) -> str:
    """A request for these forms; its id."""
    body = ALCHEMY_REQUEST | {"forms": [{"name": name} for name in names]} | change
    return str((await checked(horde, "POST", 202, ASYNC, body, key))["id"])


async def pop(horde: Horde, key: str, **change: Any) -> list[dict[str, Any]]:
    """The forms that an alchemist gets."""
    found = (await checked(horde, "POST", 200, POP, ALCHEMY_POP | change, key))["forms"]
    return found or []


async def deliver(horde: Horde, key: str, form: dict[str, Any], value: Any = "a picture") -> float:
    body = {"id": form["id"], "result": {form["form"]: value}}
    return float((await checked(horde, "POST", 200, SUBMIT, body, key))["reward"])


async def status(horde: Horde, alchemy_id: str) -> Any:
    return await checked(horde, "GET", 200, f"/interrogate/status/{alchemy_id}")


async def states(horde: Horde, alchemy_id: str) -> list[str]:
    return [form["state"] for form in (await status(horde, alchemy_id))["forms"]]


def png(width: int, height: int, color: str = "green") -> str:
    out = io.BytesIO()
    Image.new("RGB", (width, height), color).save(out, "PNG")
    return base64.b64encode(out.getvalue()).decode()
