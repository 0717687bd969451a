"""Signed links, in the manner of presigned S3 URLs: whoever has one may do that one thing until it expires (contract 22)."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from dataclasses import dataclass
from urllib.parse import parse_qs, urlencode

# One client takes a result for a link only when it contains this word, which a plain-http address lacks (clients.md 4).
COMPATIBLE = "https"


class SignatureInvalid(Exception):
    """The link was changed, or is not ours."""


class SignatureExpired(Exception):
    """The link was good until some time ago."""


@dataclass(frozen=True, slots=True)
class Grant:
    """What a valid link allows: bytes to store at most, until a time in UTC milliseconds."""

    max_size: int
    expires_ms: int


class UrlSigner:
    """HMAC-SHA-256 over method, bucket, key, expiry and size limit."""

    def __init__(self, secret: bytes) -> None:
        self._secret = secret

    def sign(self, method: str, bucket: str, key: str, expires_ms: int, max_size: int) -> str:
        """The query string of a link."""
        signature = base64.urlsafe_b64encode(self._mac(method, bucket, key, expires_ms, max_size)).rstrip(b"=")
        query = {"expires": expires_ms, "size": max_size, "signature": signature.decode(), "compat": COMPATIBLE}
        return urlencode(query)

    def verify(self, method: str, bucket: str, key: str, query: str, now_ms: int) -> Grant:
        """What the link allows. A HEAD may use the link of a GET. Raises SignatureInvalid, SignatureExpired."""
        members = parse_qs(query)
        try:
            expires_ms, max_size = int(members["expires"][0]), int(members["size"][0])
            text = members["signature"][0]
            given = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
        except (KeyError, ValueError, binascii.Error) as error:
            raise SignatureInvalid("the link lacks a part") from error
        canonical = base64.urlsafe_b64encode(given).rstrip(b"=").decode()
        expected = self._mac("GET" if method == "HEAD" else method, bucket, key, expires_ms, max_size)
        if canonical != text or not hmac.compare_digest(given, expected):
            raise SignatureInvalid("the signature does not fit the link")
        if now_ms > expires_ms:
            raise SignatureExpired("the link has expired")
        return Grant(max_size, expires_ms)

    def _mac(self, method: str, bucket: str, key: str, expires_ms: int, max_size: int) -> bytes:
        parts = "\n".join((method, bucket, key, str(expires_ms), str(max_size)))
        return hmac.digest(self._secret, parts.encode(), hashlib.sha256)
