"""Asking a running node for one thing, as a client does."""

from __future__ import annotations

import time
from typing import Any

import httpx

from tests.support.node_process import NodeProcess

LIMIT_S = 60.0
TEXT: dict[str, Any] = {"prompt": "Once upon a time", "params": {"max_length": 20, "max_context_length": 512}}
IMAGE: dict[str, Any] = {
    "prompt": "a red circle above a blue square",
    "params": {"width": 256, "height": 256, "steps": 4},
}


def ask(node: NodeProcess, kind: str, body: dict[str, Any]) -> dict[str, Any]:
    """The one generation of a request (`text`, `image`), as its client gets it."""
    path = f"{node.url}/api/v2/generate{'/text' if kind == 'text' else ''}"
    headers = {"apikey": "0000000000"}
    accepted = httpx.post(f"{path}/async", json=body, headers=headers).raise_for_status().json()
    until = time.monotonic() + LIMIT_S
    while True:
        status = httpx.get(f"{path}/status/{accepted['id']}").raise_for_status().json()
        if status["done"]:
            assert not status["faulted"], status
            return dict(status["generations"][0])
        assert time.monotonic() < until, status
