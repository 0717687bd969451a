"""Webhooks (behaviour.md 23)."""

from __future__ import annotations

from hordenode.protocol.wire import Answer


class WebhookSecret(Answer, frozen=True, kw_only=True):
    """By what the receiver of a user's webhooks recognises them (domain/signatures.py)."""

    header: str
    secret: str
