"""Pops: a worker asks for a job (contract 6, 7, 11).

One write does it all: it searches in the transaction that claims, so that it cannot act on a stale read. A pop that
finds nothing changes nothing, and a transaction without changes costs no sync to disk.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import TypeVar

import msgspec
from msgspec import UNSET

from hordenode.coordinator.changes import advance, public_id
from hordenode.coordinator.context import Caller, Coordinator
from hordenode.coordinator.line import LaneServed
from hordenode.coordinator.links import source_url, upload_url
from hordenode.coordinator.offers import Admitted, admit
from hordenode.coordinator.presence import Pop
from hordenode.coordinator.waits import bell
from hordenode.domain import lifecycle, matching
from hordenode.domain.entities import Job, JobState, Kind, WaitingPrompt
from hordenode.domain.forms import FORM_TTL_S, POST_PROCESSORS
from hordenode.domain.kudos import floor_of
from hordenode.domain.limits import MIN_TTL_S, image_batch, image_ttl_s
from hordenode.domain.matching import ImageOffer
from hordenode.domain.payload import image_payload, pick_model, text_payload
from hordenode.domain.seeds import job_seed
from hordenode.domain.spec import AlchemySpec, ImageSpec, SourceImage, Spec, TextSpec
from hordenode.ops.events import JobFaulted, JobPopped, WorkerSeen
from hordenode.protocol.alchemy import AlchemyJob, AlchemyJobForm, AlchemyPop, AlchemySkipped
from hordenode.protocol.common import JobSourceImage, WorkerMessage
from hordenode.protocol.errors import HordeError, PlainError
from hordenode.protocol.image import ImageJob, ImagePop, ImageSkipped
from hordenode.protocol.text import TextJob, TextPop, TextSkipped
from hordenode.store import jobs, ledger, queue, requests, users
from hordenode.store.tx import Tx

S = TypeVar("S", ImageSkipped, TextSkipped, AlchemySkipped)

FIRST_LOOK = 4
FURTHER_LOOK = 256
MOST_FORMS = 100  # that an alchemist gets at once
MAINTENANCE = "This worker has been put into maintenance mode by its owner."


class Claim(msgspec.Struct, frozen=True):
    """Jobs of one request that a worker just got."""

    spec: Spec
    model: str
    ids: tuple[str, ...]
    seed: int
    ttl_s: int
    lane_id: int


class Found(msgspec.Struct, frozen=True):
    """The outcome of a pop: what the worker got, of several requests only an alchemist, or why it got nothing."""

    admitted: Admitted
    claims: tuple[Claim, ...]
    skipped: dict[str, int]

    @property
    def claim(self) -> Claim | None:
        return self.claims[0] if self.claims else None


async def pop_image(co: Coordinator, caller: Caller, body: ImagePop, wait: float = 0.0, name: str = "") -> ImageJob:
    """POST /generate/pop. With `wait`, an answer without a job comes only after so many seconds."""
    found = await _pop(co, caller, Kind.IMAGE, body, wait, name)
    claim = found.claim
    if claim is None or not isinstance(claim.spec, ImageSpec):
        return ImageJob(skipped=_skipped(ImageSkipped, found.skipped), messages=_messages(co, found))
    spec = claim.spec
    uploads = tuple(upload_url(co, caller.base_url, job_id) for job_id in claim.ids)
    extra = tuple(
        JobSourceImage(image=_source(co, caller, image) or "", strength=image.strength)
        for image in spec.extra_source_images
    )
    return ImageJob(
        payload=image_payload(spec, claim.seed, len(claim.ids)),
        id=claim.ids[0],
        ids=claim.ids,
        ttl=claim.ttl_s,
        model=claim.model,
        source_image=_source(co, caller, spec.source_image),
        source_processing=spec.source_processing,
        source_mask=_source(co, caller, spec.source_mask),
        extra_source_images=extra or None,
        r2_upload=uploads[0],
        r2_uploads=uploads,
        messages=_messages(co, found),
    )


async def pop_text(co: Coordinator, caller: Caller, body: TextPop, wait: float = 0.0, name: str = "") -> TextJob:
    """POST /generate/text/pop. With `wait`, an answer without a job comes only after so many seconds."""
    found = await _pop(co, caller, Kind.TEXT, body, wait, name)
    claim = found.claim
    if claim is None or not isinstance(claim.spec, TextSpec):
        return TextJob(skipped=_skipped(TextSkipped, found.skipped), messages=_messages(co, found))
    return TextJob(
        payload=text_payload(claim.spec, str(claim.lane_id) if caller.in_process else ""),
        id=claim.ids[0],
        ids=claim.ids,
        ttl=claim.ttl_s,
        softprompt=claim.spec.softprompt,
        model=claim.model,
        messages=_messages(co, found),
    )


def _messages(co: Coordinator, found: Found) -> tuple[WorkerMessage, ...]:
    return co.board.for_pop(found.admitted.worker.id, co.clock.now_ms())


async def pop_alchemy(
    co: Coordinator, caller: Caller, body: AlchemyPop, wait: float = 0.0, name: str = ""
) -> AlchemyJob:
    """POST /interrogate/pop."""
    found = await _pop(co, caller, Kind.ALCHEMY, body, wait, name)
    forms = tuple(_form(co, caller, claim) for claim in found.claims)
    return AlchemyJob(forms=forms or None, skipped=_skipped(AlchemySkipped, found.skipped))


def _form(co: Coordinator, caller: Caller, claim: Claim) -> AlchemyJobForm:
    spec = claim.spec
    assert isinstance(spec, AlchemySpec)
    job_id = claim.ids[0]
    return AlchemyJobForm(
        id=job_id,
        form=spec.form,
        payload=spec.payload or UNSET,
        source_image=_source(co, caller, spec.source) or "",
        r2_upload=upload_url(co, caller.base_url, job_id) if spec.form in POST_PROCESSORS else UNSET,
    )


async def _pop(co: Coordinator, caller: Caller, kind: Kind, body: Pop, wait: float, name: str) -> Found:
    """Look once, or until there is something (coordinator/waiters.py)."""
    if wait <= 0:
        return await _look(co, caller, kind, body)
    until = asyncio.get_running_loop().time() + wait
    with co.waiters.wait(kind, name) as waiter:
        while True:
            with co.waiters.look(waiter):
                found = await _look_or_give_back(co, caller, kind, body)
                waiter.judge = found.admitted.judge
            left = until - asyncio.get_running_loop().time()
            if found.claim is not None or co.stopping or waiter.ended or not await bell(waiter.heard, left):
                return found


async def end_wait(co: Coordinator, caller: Caller, name: str) -> None:
    """DELETE …/pops/{name}: have a waiting pop answered now, for a worker that stops. PlainError 404 without one.

    Hanging up would do, were it not for the moment in which a job is on its way to whoever does.
    """
    await co.db.read(lambda tx: co.authenticate(tx, caller))
    if not co.waiters.end(name):
        raise PlainError(404, "No pop of this name is waiting.")


async def _look(co: Coordinator, caller: Caller, kind: Kind, body: Pop) -> Found:
    found = await co.db.write(lambda tx: _find(tx, co, caller, kind, body))
    admitted = found.admitted
    co.presence.see(admitted.worker, admitted.judge, body, co.clock.now_ms())
    return found


async def _look_or_give_back(co: Coordinator, caller: Caller, kind: Kind, body: Pop) -> Found:
    """A job for a worker that hung up meanwhile returns to the queue at once."""
    looking = asyncio.ensure_future(_look(co, caller, kind, body))
    try:
        return await asyncio.shield(looking)
    except asyncio.CancelledError:
        found = await looking
        ids = [job_id for claim in found.claims for job_id in claim.ids]
        if ids:
            await co.db.write(lambda tx: give_back_jobs(tx, co, [job for i in ids if (job := jobs.find(tx, i))]))
        raise


def give_back_jobs(tx: Tx, co: Coordinator, held: Iterable[Job]) -> None:
    """Jobs return to the queue and nobody is to blame."""
    for job in held:
        wp = requests.find_any(tx, job.request_id)
        if wp is not None and jobs.fault(tx, job.id, co.clock.now_ms()):
            advance(tx, wp, lifecycle.give_back(wp))
            tx.emit(JobFaulted(job.id, public_id(tx, wp), wp.user_id))


def _find(tx: Tx, co: Coordinator, caller: Caller, kind: Kind, pop: Pop) -> Found:
    """The one transaction of a pop: admission, search, claim."""
    admitted = admit(tx, co, caller, kind, pop)
    if co.presence.get(admitted.worker.id) is None:
        tx.emit(WorkerSeen(id=admitted.worker.id, name=admitted.worker.name, kind=kind))
    if admitted.worker.paused:
        return Found(admitted, (), matching.count_skipped(kind is Kind.IMAGE, (), {}))
    signatures = queue.waiting_signatures(tx, kind)
    verdicts = [(admitted.judge.verdict(s, co.verdicts.needs(tx, kind, s)), s, count) for s, count in signatures]
    eligible = frozenset(s for reasons, s, _ in verdicts if not reasons)
    refused: Counter[str] = Counter()
    claims: list[Claim] = []
    wanted = min(max(1, pop.amount), MOST_FORMS) if kind is Kind.ALCHEMY else 1
    for wp in _candidates(tx, co, admitted, kind, eligible):
        spec = co.specs.of(tx, wp)
        reason = _refused(tx, admitted, wp, spec)
        if reason is None:
            claims.append(_claim(tx, co, caller, admitted, pop, wp, spec))
            if len(claims) == wanted:
                break
        else:
            refused[reason] += 1
    if claims:
        return Found(admitted, tuple(claims), {})
    if admitted.worker.maintenance:
        raise _maintenance(admitted)
    counted = ((reasons, count) for reasons, _, count in verdicts)
    return Found(admitted, (), matching.count_skipped(kind is Kind.IMAGE, counted, refused))


def _candidates(
    tx: Tx, co: Coordinator, admitted: Admitted, kind: Kind, eligible: frozenset[int]
) -> Iterator[WaitingPrompt]:
    """Requests that the worker could take: its owner's and prioritised users' first, then in queue order."""
    if not eligible:
        return
    seen: set[str] = set()
    preferred = [admitted.owner.id, *sorted(admitted.offer.priority_users - {admitted.owner.id})]
    for user_id in preferred[:1] if admitted.worker.maintenance else preferred:
        for lane_id in queue.lanes_of_user(tx, kind, user_id):
            yield from _fresh(tx, kind, queue.lane_candidates(tx, lane_id, eligible, FURTHER_LOOK), seen)
    if admitted.worker.maintenance:
        return
    room = _Room(tx, co.rules.max_running)
    if not co.rules.fair:
        for look in (FIRST_LOOK, FURTHER_LOOK):
            heads = _fresh(tx, kind, queue.head_candidates(tx, eligible, look), seen)
            yield from (wp for wp in heads if room.has(wp.lane_id))
        return
    for lane_id in filter(room.has, queue.first_lanes(tx, kind, FIRST_LOOK)):
        head = queue.lane_first(tx, lane_id)  # it usually will do
        first = None if head is None else requests.find(tx, head, kind)
        if first is None or first.signature_id not in eligible:
            yield from _fresh(tx, kind, queue.lane_candidates(tx, lane_id, eligible, 1), seen)
        elif first.id not in seen:
            seen.add(first.id)
            yield first
    for lane_id in filter(room.has, queue.fair_lanes(tx, eligible, FURTHER_LOOK)):
        yield from _fresh(tx, kind, queue.lane_candidates(tx, lane_id, eligible, FURTHER_LOOK), seen)


class _Room:
    """Which lanes may have another job in the hands of workers, where the owner limits that."""

    def __init__(self, tx: Tx, most: int) -> None:
        self._tx = tx
        self._most = most
        self._known: dict[int, bool] = {}

    def has(self, lane_id: int) -> bool:
        if not self._most:
            return True
        if lane_id not in self._known:
            self._known[lane_id] = queue.running(self._tx, lane_id) < self._most
        return self._known[lane_id]


def _fresh(tx: Tx, kind: Kind, ids: list[str], seen: set[str]) -> Iterator[WaitingPrompt]:
    for request_id in ids:
        if request_id not in seen:
            seen.add(request_id)
            if (wp := requests.find(tx, request_id, kind)) is not None:
                yield wp


def _refused(tx: Tx, admitted: Admitted, wp: WaitingPrompt, spec: Spec) -> str | None:
    """Why this worker passes over this very request; the requester's kudos are only looked up when they matter."""
    offer = admitted.offer
    if not (offer.blacklist or offer.require_upfront_kudos):
        return None
    requester = users.find(tx, wp.user_id)
    spendable = ledger.balance(tx, wp.user_id) - (max(0, floor_of(requester)) if requester else 0)
    return matching.candidate_refused(
        offer,
        spec.prompt,
        trusted=requester is not None and requester.trusted,
        prioritised=wp.user_id in offer.priority_users,
        kudos=spendable,
        price=wp.price,
    )


def _claim(
    tx: Tx, co: Coordinator, caller: Caller, admitted: Admitted, pop: Pop, wp: WaitingPrompt, spec: Spec
) -> Claim:
    """Hand out jobs of the request: counters, job rows, the lane's turn."""
    now = co.clock.now_ms()
    offer = admitted.offer
    model = spec.form if isinstance(spec, AlchemySpec) else pick_model(spec.audience.models, offer, co.ids.seed())
    count, ttl_s = _batch(co, offer, pop, wp, spec, model)
    seed = 0
    if isinstance(spec, ImageSpec):
        seed = job_seed(spec.seed, spec.seed_variation, wp.n, co.ids.seed())
    ids = tuple(co.ids.uuid() for _ in range(count))
    turn = co.turns.next()
    advance(tx, wp, lifecycle.hand_out(wp, count, now, slow_worker=offer.extra_slow), turn)
    request_id = public_id(tx, wp)
    for job_id in ids:
        job = Job(
            job_id, wp.id, admitted.worker.id, model, JobState.PROCESSING, caller.in_process, now, now + ttl_s * 1000
        )
        jobs.insert(tx, job)
        tx.emit(JobPopped(job_id, request_id, wp.user_id, admitted.worker.id, wp.kind, now - wp.created_ms))
    tx.emit(LaneServed(wp.kind, wp.lane_id, turn=turn))
    return Claim(spec, model, ids, seed, ttl_s, wp.lane_id)


def _batch(
    co: Coordinator, offer: matching.Offer, pop: Pop, wp: WaitingPrompt, spec: Spec, model: str
) -> tuple[int, int]:
    """(number of jobs, seconds for them)."""
    if isinstance(spec, AlchemySpec):
        return 1, FORM_TTL_S
    if isinstance(spec, TextSpec) or not isinstance(offer, ImageOffer):
        return min(pop.amount, wp.n), MIN_TTL_S
    baseline = co.baselines.of(model)
    count = image_batch(spec, baseline, amount=pop.amount, max_pixels=offer.max_pixels, remaining=wp.n)
    families = frozenset(co.baselines.of(name) for name in spec.audience.models)
    return count, image_ttl_s(spec, families | {baseline}, extra_slow=offer.extra_slow)


def _maintenance(admitted: Admitted) -> HordeError:
    """Workers recognise "maintenance mode" in the text, so it is added to an owner's message that lacks it."""
    return HordeError("WorkerMaintenance", reason=admitted.worker.maintenance_message or MAINTENANCE)


def _source(co: Coordinator, caller: Caller, image: SourceImage | None) -> str | None:
    if image is None:
        return None
    return image.url if image.blob is None else source_url(co, caller.base_url, image.blob)


def _skipped(kind: type[S], counts: dict[str, int]) -> S:
    named = {name.replace("-", "_"): count for name, count in counts.items()}
    return kind(**{name: named.get(name, UNSET) for name in kind.__struct_fields__})
