"""Signatures of webhooks: the receiver can tell that a call is this horde's, is for this user, and is not an old one.

    X-Hordenode-Signature: t=1700000000,v1=5257a8…

`v1` is the HMAC-SHA-256, in hexadecimal digits, of the time in seconds, a full stop and the body, keyed with the secret
that the user gets from `GET /api/node/v1/webhooks`.
"""

from __future__ import annotations

import base64
import hashlib
import hmac

HEADER = "X-Hordenode-Signature"


def webhook_secret(node_secret: bytes, user_id: int) -> str:
    """A user's secret: derived from the node's, so that nothing has to be stored."""
    raw = hmac.digest(node_secret, b"webhook %d" % user_id, hashlib.sha256)
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def sign(secret: str, body: bytes, now_ms: int) -> str:
    """The value of the header."""
    seconds = now_ms // 1000
    return f"t={seconds},v1={_digest(secret, seconds, body)}"


def verify(secret: str, header: str, body: bytes, now_ms: int, *, tolerance_s: int = 300) -> bool:
    """Whether a header is that of this body, and was made within the last minutes. For receivers in Python."""
    parts = dict(part.partition("=")[::2] for part in header.split(","))
    if not parts.get("t", "").isdecimal():
        return False
    seconds = int(parts["t"])
    fresh = abs(now_ms // 1000 - seconds) <= tolerance_s
    return fresh and hmac.compare_digest(parts.get("v1", ""), _digest(secret, seconds, body))


def _digest(secret: str, seconds: int, body: bytes) -> str:
    return hmac.new(secret.encode(), b"%d." % seconds + body, hashlib.sha256).hexdigest()
