"""Submits: a worker hands in a result, or says that it failed (contract 8.1, 8.2)."""

from __future__ import annotations

import asyncio
import binascii

import msgspec
from msgspec import UNSET
from msgspec.structs import replace

from hordenode.blobs.images import BadImage, result_webp
from hordenode.coordinator import files, prices, webhooks
from hordenode.coordinator.changes import advance, public_id, tell_done
from hordenode.coordinator.conduct import note_aborted, note_speed
from hordenode.coordinator.context import Caller, Coordinator
from hordenode.coordinator.delivered import Delivery
from hordenode.coordinator.links import RESULTS, result_key
from hordenode.coordinator.prices import Amount
from hordenode.coordinator.results import UPLOADED
from hordenode.domain import kudos, lifecycle
from hordenode.domain import ledger as postings
from hordenode.domain.entities import Job, JobState, Kind, User, WaitingPrompt, Worker
from hordenode.domain.ledger import Posting
from hordenode.domain.limits import MAX_METADATA
from hordenode.domain.spec import Spec, TextSpec
from hordenode.ops.events import JobDone, JobFaulted, KudosMoved
from hordenode.protocol.alchemy import AlchemySubmit
from hordenode.protocol.common import SubmitAnswer
from hordenode.protocol.errors import HordeError
from hordenode.protocol.extension import TokenLikelihood
from hordenode.protocol.image import ImageSubmit
from hordenode.protocol.text import TextSubmit
from hordenode.store import jobs, ledger, requests, sharedkeys, teams, users, workers
from hordenode.store.tx import Tx


class Outcome(msgspec.Struct, frozen=True):
    """What a worker says of a job. `result`: the text, `R2` for a stored picture, of a form its object.

    kept: a picture that came with it and is stored, but has no row yet.
    """

    job_id: str
    kind: Kind
    state: str
    result: str
    seed: int
    censored: bool
    gen_metadata: str
    logprobs: tuple[TokenLikelihood, ...] = ()
    kept: files.Kept | None = None


class Settled(msgspec.Struct, frozen=True):
    """What a submission changed; `delivery` is None when it was not a new result. told: a webhook hears of it."""

    reward: int
    delivery: Delivery | None = None
    worker_id: str = ""
    told: bool = False


async def submit_image(co: Coordinator, caller: Caller, body: ImageSubmit) -> SubmitAnswer:
    """POST /generate/submit. Censorship in the metadata wins over state `faulted` (contract 8.1, 8.5)."""
    _check_metadata(len(body.gen_metadata))
    censored = any(entry.type == "censorship" for entry in body.gen_metadata)
    state = "ok" if censored else body.state
    kept = None
    if state != "faulted" and body.generation != UPLOADED:
        try:
            kept, state = await _store_inline(co, caller, body), "ok"
        except (BadImage, ValueError):  # [FIX] 8.1: no picture, no reward
            state = "faulted"
    metadata = msgspec.json.encode(body.gen_metadata).decode()
    outcome = Outcome(body.id, Kind.IMAGE, state, UPLOADED, int(body.seed), censored, metadata, kept=kept)
    return await _submit(co, caller, outcome)


async def submit_text(co: Coordinator, caller: Caller, body: TextSubmit) -> SubmitAnswer:
    """POST /generate/text/submit."""
    _check_metadata(len(body.gen_metadata))
    csam = body.state == "csam" or any(entry.value == "csam" for entry in body.gen_metadata)
    state = "csam" if csam else body.state
    entries = [msgspec.to_builtins(entry) for entry in body.gen_metadata]
    if csam and not entries:
        entries = [{"type": "censorship", "value": "csam"}]
    outcome = Outcome(
        body.id,
        Kind.TEXT,
        state,
        body.generation,
        int(body.seed),
        state in ("censored", "csam"),
        msgspec.json.encode(entries).decode(),
        () if body.hordenode is UNSET else body.hordenode.logprobs,
    )
    return await _submit(co, caller, outcome)


async def submit_form(co: Coordinator, caller: Caller, body: AlchemySubmit) -> SubmitAnswer:
    """POST /interrogate/submit (contract 12): the result as an object, keyed by the form's name."""
    result = msgspec.json.encode(body.result).decode()
    state = "faulted" if body.state == "faulted" else "ok"
    return await _submit(co, caller, Outcome(body.id, Kind.ALCHEMY, state, result, 0, False, "[]"))


def _check_metadata(count: int) -> None:
    if count > MAX_METADATA:
        raise HordeError("BadRequest", reason=f"At most {MAX_METADATA} metadata entries are accepted.")


async def _submit(co: Coordinator, caller: Caller, outcome: Outcome) -> SubmitAnswer:
    try:
        settled = await co.db.write(lambda tx: _settle(tx, co, caller, outcome))
    except HordeError:
        await _leave_to_janitor(co, outcome.kept)
        raise
    if settled.delivery is not None:
        co.presence.delivered(settled.delivery, settled.worker_id)
    else:
        await _leave_to_janitor(co, outcome.kept)
    if settled.told:
        co.doorbell.ring(webhooks.BELL)
    return SubmitAnswer(reward=kudos.kudos(settled.reward))


async def _leave_to_janitor(co: Coordinator, kept: files.Kept | None) -> None:
    """A stored picture that became no result gets its row all the same, by which it will be removed."""
    if kept is not None:
        await co.db.write(lambda tx: files.save(tx, co, kept))


async def _store_inline(co: Coordinator, caller: Caller, body: ImageSubmit) -> files.Kept | None:
    """Store a picture sent as base64, once the sender may submit it. BadImage or ValueError when it is no picture."""
    job, *_ = co.db.recall(lambda tx: _check_sender(tx, co, caller, body.id, Kind.IMAGE))
    if job.state is not JobState.PROCESSING:
        return None  # it is too late, as `_settle` will say: what is stored stays
    large = len(body.generation) > files.LARGE
    data = await asyncio.to_thread(_from_base64, body.generation) if large else _from_base64(body.generation)
    webp = await result_webp(data)
    kept = await files.put(co, RESULTS, result_key(body.id), webp)
    if webp is data and len(body.generation) == 4 * -(-len(data) // 3):  # without line breaks
        co.inline.add((kept.bucket, kept.key), body.generation)
    return kept


def _from_base64(text: str) -> bytes:
    """ValueError for what is none. msgspec decodes four times as fast as Python, which forgives line breaks."""
    try:
        return msgspec.convert(text, bytes)
    except msgspec.ValidationError:
        return binascii.a2b_base64(text)


def _check_sender(
    tx: Tx, co: Coordinator, caller: Caller, job_id: str, kind: Kind
) -> tuple[Job, WaitingPrompt, Worker, User]:
    """The job with all that belongs to it; contract 8.1's refusals in its order."""
    job = jobs.find(tx, job_id)
    wp = requests.find(tx, job.request_id, kind) if job is not None else None
    if job is None or wp is None:
        raise HordeError("InvalidJobID", id=job_id)
    user = co.authenticate(tx, caller)
    worker = workers.by_id(tx, job.worker_id)
    if worker is None or worker.user_id != user.id:
        raise HordeError("WrongCredentials", what="this job")
    return job, wp, worker, user


def _settle(tx: Tx, co: Coordinator, caller: Caller, outcome: Outcome) -> Settled:
    """The one transaction of a submission: exactly one result of a job wins."""
    job, wp, worker, owner = _check_sender(tx, co, caller, outcome.job_id, outcome.kind)
    if job.state is JobState.DONE:
        if worker.maintenance:
            return Settled(0)
        raise HordeError("DuplicateGen", id=job.id)
    if job.state is JobState.FAULTED:
        if outcome.state == "faulted":
            return Settled(0)
        raise HordeError("DuplicateGen" if wp.kind is Kind.ALCHEMY else "AbortedGen", id=job.id)
    if outcome.state == "faulted":
        fault_job(tx, co.clock.now_ms(), job, wp)
        return Settled(0)
    return _deliver(tx, co, _Delivery(job, wp, worker, owner, outcome))


def fault_job(tx: Tx, now_ms: int, job: Job, wp: WaitingPrompt) -> None:
    """A job ends without a result: its slot returns to the queue and counts against the worker."""
    if not jobs.fault(tx, job.id, now_ms):
        return
    after = lifecycle.fault(wp, now_ms)
    advance(tx, wp, after)
    if not wp.cancelled:
        note_aborted(tx, job.worker_id, now_ms)
    tx.emit(JobFaulted(job.id, public_id(tx, wp), wp.user_id))
    tell_done(tx, after)


class _Delivery(msgspec.Struct, frozen=True):
    job: Job
    wp: WaitingPrompt
    worker: Worker
    owner: User
    outcome: Outcome


def _deliver(tx: Tx, co: Coordinator, it: _Delivery) -> Settled:
    now = co.clock.now_ms()
    spec = co.specs.of(tx, it.wp)
    reward, charge = prices.settlement(
        co, spec, it.job.model, it.worker, it.owner, result=it.outcome.result, censored=it.outcome.censored
    )
    done = replace(
        it.job,
        finished_ms=now,
        seed=it.outcome.seed,
        result=it.outcome.result,
        outcome=it.outcome.state,
        censored=it.outcome.censored,
        gen_metadata=it.outcome.gen_metadata,
        logprobs=_logprobs(spec, it.outcome),
        reward=reward.kudos,
    )
    jobs.finish(tx, done, co.deliveries.next())
    if it.outcome.kept is not None:
        files.save(tx, co, it.outcome.kept)
    after = lifecycle.deliver(it.wp, charge.kudos, now)
    advance(tx, it.wp, after)
    _pay(tx, it, reward, charge, now)
    told = webhooks.owe(tx, spec, it.wp, it.job, now)
    tx.emit(JobDone(it.job.id, public_id(tx, it.wp), it.wp.user_id, it.wp.kind, now - it.job.popped_ms))
    tell_done(tx, after)
    seconds = max(1, now - it.job.popped_ms) / 1000
    speed = seconds if it.outcome.kind is Kind.ALCHEMY else it.wp.things / seconds
    note_speed(tx, it.owner, it.worker, it.job.model, speed, now)
    delivery = Delivery(now, it.outcome.kind, it.job.model, it.wp.things, speed)
    return Settled(reward.kudos, delivery, it.worker.id, told)


def _logprobs(spec: Spec, outcome: Outcome) -> str | None:
    """As they are stored, where the request asked for them."""
    asked = isinstance(spec, TextSpec) and "logprobs" in spec.extension
    return msgspec.json.encode(outcome.logprobs).decode() if asked and outcome.logprobs else None


def _pay(tx: Tx, it: _Delivery, reward: Amount, charge: Amount, now: int) -> None:
    """The requester pays, the worker's owner earns, and both have it in their records."""
    kind, things, owner = it.outcome.kind, it.wp.things, it.owner
    requester = users.find(tx, it.wp.user_id)
    records = [users.Record(owner.id, kind, fulfilled=1, contributed=things)]
    paid: tuple[Posting, ...] = ()
    if requester is not None:
        records.append(users.Record(requester.id, kind, used=things * requester.usage_multiplier // 1000))
        if charge.kudos:
            balance = ledger.balance(tx, requester.id)
            paid = postings.charge(requester, balance, charge.kudos, "generation", charge.note)
    users.record(tx, *records)
    workers.credit(tx, it.worker.id, things, reward.kudos)
    if it.worker.team_id is not None:
        teams.credit(tx, it.worker.team_id, things if kind is Kind.IMAGE else 0, reward.kudos)
    earned: tuple[Posting, ...] = ()
    if reward.kudos:
        balance = ledger.balance(tx, owner.id) + postings.net(paid).get(owner.id, 0)
        earned = postings.reward(owner, balance, reward.kudos, "generation", reward.note)
    _book(tx, it, paid, earned, now)


def _book(tx: Tx, it: _Delivery, paid: tuple[Posting, ...], earned: tuple[Posting, ...], now: int) -> None:
    """Store the movements of a delivery. The first posting of `paid` is the charge."""
    ledger.post(tx, (*paid, *earned), now, request_id=it.wp.id, job_id=it.job.id)
    changes = []
    if paid:
        payer, amount = paid[0].source, paid[0].amount
        changes.append(ledger.Earned(payer, -amount))
        if it.wp.sharedkey_id is not None:
            sharedkeys.spend(tx, it.wp.sharedkey_id, amount)
        tx.emit(KudosMoved(account=payer, amount=-amount))
    if earned:
        held = sum(posting.amount for posting in earned if posting.target == postings.EVALUATION)
        got = sum(posting.amount for posting in earned if posting.source == postings.MINT) - held
        changes.append(ledger.Earned(it.owner.id, got, held))
        tx.emit(KudosMoved(account=it.owner.id, amount=got))
    ledger.add_earned(tx, *changes)
