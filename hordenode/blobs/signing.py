"""Signed links, in the manner of presigned S3 URLs: whoever has one may do that one thing until it expires (contract 22)."""

from __future__ import annotations

import base64
import hashlib
import hmac
from dataclasses import dataclass
from urllib.parse import parse_qs

# One client takes a result for a link only when it contains this word, which a plain-http address lacks (clients.md 4).
COMPATIBLE = "https"
PURPOSE = b"hordenode signed links"


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
    """HMAC-SHA-256 over method, bucket, key, expiry and size limit, with a key made from the node's secret."""

    def __init__(self, secret: bytes) -> None:
        self._key = hmac.digest(secret, PURPOSE, hashlib.sha256)

    def sign(self, method: str, bucket: str, key: str, expires_ms: int, max_size: int) -> str:
        """The query string of a link."""
        parts = "\n".join((method, bucket, key, str(expires_ms), str(max_size)))
        mac = hmac.digest(self._key, parts.encode("utf-8", "surrogatepass"), hashlib.sha256)
        signature = base64.urlsafe_b64encode(mac).rstrip(b"=").decode()
        return f"expires={expires_ms}&size={max_size}&signature={signature}&compat={COMPATIBLE}"

    def verify(self, method: str, bucket: str, key: str, query: str, now_ms: int) -> Grant:
        """What the link allows. A HEAD may use the link of a GET. Raises SignatureInvalid, SignatureExpired.

        The whole query must be what `sign` made: there is one form of each link, so nothing in it can be changed.
        """
        try:
            members = parse_qs(query, max_num_fields=4)
            expires_ms, max_size = int(members["expires"][0]), int(members["size"][0])
        except (KeyError, ValueError) as error:
            raise SignatureInvalid("the link lacks a part") from error
        signed = self.sign("GET" if method == "HEAD" else method, bucket, key, expires_ms, max_size)
        if not hmac.compare_digest(signed.encode(), query.encode("utf-8", "surrogatepass")):
            raise SignatureInvalid("the signature does not fit the link")
        if now_ms > expires_ms:
            raise SignatureExpired("the link has expired")
        return Grant(max_size, expires_ms)
