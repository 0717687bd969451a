"""Signed links to stored files (contract 22)."""

from __future__ import annotations

from hordenode.blobs.signing import SignatureExpired, SignatureInvalid
from hordenode.coordinator.context import Coordinator
from hordenode.domain.limits import LINK_LIFE_MS
from hordenode.protocol.errors import PlainError

RESULTS = "results"
SOURCES = "sources"


def result_key(job_id: str) -> str:
    return f"{job_id}.webp"


def upload_url(co: Coordinator, base_url: str, job_id: str) -> str:
    """Where a worker puts the picture of a job."""
    return _url(co, base_url, "PUT", RESULTS, result_key(job_id))


def result_url(co: Coordinator, base_url: str, job_id: str) -> str:
    """Where a client gets the picture of a job."""
    return _url(co, base_url, "GET", RESULTS, result_key(job_id))


def source_url(co: Coordinator, base_url: str, key: str) -> str:
    """Where a worker gets a source image."""
    return _url(co, base_url, "GET", SOURCES, key)


def check_link(co: Coordinator, method: str, bucket: str, key: str, query: str) -> int:
    """The size limit in bytes of a valid link; PlainError 403 for an expired or changed one."""
    try:
        return co.signer.verify(method, bucket, key, query, co.clock.now_ms()).max_size
    except SignatureExpired as error:
        raise PlainError(403, "This link has expired. Ask for the status of the request to get a new one.") from error
    except SignatureInvalid as error:
        raise PlainError(403, "This link is not valid: it must be used exactly as it was given.") from error


def _url(co: Coordinator, base_url: str, method: str, bucket: str, key: str) -> str:
    query = co.signer.sign(method, bucket, key, co.clock.now_ms() + LINK_LIFE_MS, co.rules.max_upload)
    return f"{base_url}/blobs/{bucket}/{key}?{query}"
