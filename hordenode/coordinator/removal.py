"""Requests that go, with or before their time: rows at once, files after the commit."""

from __future__ import annotations

from collections.abc import Iterable

from hordenode.coordinator import files, sources
from hordenode.coordinator.context import Coordinator
from hordenode.coordinator.line import LineMoved
from hordenode.coordinator.links import RESULTS, SOURCES, result_key
from hordenode.domain.entities import Kind, WaitingPrompt
from hordenode.domain.spec import ImageSpec
from hordenode.store import jobs, requests
from hordenode.store.tx import Tx

File = tuple[str, str]  # bucket and key


def remove_request(tx: Tx, co: Coordinator, wp: WaitingPrompt) -> list[File]:
    """Delete a request with its jobs; returns its files, for `remove_files`."""
    left = _files_of(tx, co, wp)
    requests.delete(tx, wp)
    tx.emit(LineMoved(wp, gone=True))
    return left


def _files_of(tx: Tx, co: Coordinator, wp: WaitingPrompt) -> list[File]:
    """Results and pictures that go with a request; the picture of a form goes with its whole request."""
    if wp.kind is Kind.TEXT:
        return []
    found = [(RESULTS, result_key(job.id)) for job, _ in jobs.done_of(tx, wp.id)]
    spec = co.specs.last(tx, wp)
    if isinstance(spec, ImageSpec):
        found += [(SOURCES, key) for key in sources.blobs_of(spec)]
    return found


async def remove_files(co: Coordinator, left: Iterable[File]) -> None:
    """Delete files whose requests are gone."""
    for bucket, key in left:
        await files.remove(co, bucket, key)
