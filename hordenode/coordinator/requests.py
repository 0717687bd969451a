"""Requests: submit, check, status, cancel (contract 3, 8.3, 9)."""

from __future__ import annotations

from typing import TypeVar

import msgspec
from msgspec import UNSET
from msgspec.structs import replace

from hordenode.coordinator import intake, prices, sources, styling, upfront
from hordenode.coordinator.changes import JobStopped, advance, tell_done
from hordenode.coordinator.context import Caller, Coordinator
from hordenode.coordinator.entry import Entry, enqueue
from hordenode.coordinator.payers import Payer, check_key, find_payer
from hordenode.coordinator.progress import standing
from hordenode.coordinator.results import image_generations, text_generations
from hordenode.coordinator.screening import screened
from hordenode.domain import kudos, lifecycle, validation
from hordenode.domain import ledger as postings
from hordenode.domain.entities import Job, Kind, User, WaitingPrompt
from hordenode.domain.needs import needs_of
from hordenode.domain.spec import GenerationSpec, ImageSpec, TextSpec, WebhookTarget
from hordenode.ops.events import RequestQueued
from hordenode.protocol.common import DryRunAnswer, RequestAccepted, RequestCheck, Warning_
from hordenode.protocol.errors import HordeError
from hordenode.protocol.image import ImageRequest, ImageStatus
from hordenode.protocol.text import TextRequest, TextStatus
from hordenode.store import holds, jobs, ledger, queue, requests, sharedkeys, users, workers
from hordenode.store.ledger import Earned
from hordenode.store.tx import Tx

PROXIED_LENGTH = 255
S = TypeVar("S", ImageSpec, TextSpec)

NOBODY = "No worker can serve this request now. It waits until one can, or expires."


async def submit_image(co: Coordinator, caller: Caller, body: ImageRequest) -> RequestAccepted | DryRunAnswer:
    """POST /generate/async. Raises what contract 3.1 lists, in its order."""
    body, applied = await styling.style_image(co, body)
    check_start(co, body.webhook or None)
    asks_default = body.models is UNSET
    offered = asks_default and co.presence.offers_model(Kind.IMAGE, intake.DEFAULT_MODEL, co.clock.now_ms())
    spec = _with_webhook(intake.image_spec(body, default_model_offered=offered), caller, body.webhook or None)
    spec = sources.announced(body, spec)
    ask = _ask(Kind.IMAGE, spec, body, applied)
    if co.filters:
        ask = await _screened(co, caller, ask, replacement=body.replacement_filter)
    if body.dry_run or not sources.pictured(spec):
        return await _submit(co, caller, ask)
    await co.db.read(lambda tx: _admit(tx, co, caller, ask))  # nothing is fetched for who may not ask
    async with sources.stored(co, body, spec) as pictured:
        return await _submit(co, caller, replace(ask, spec=pictured))


async def submit_text(co: Coordinator, caller: Caller, body: TextRequest) -> RequestAccepted | DryRunAnswer:
    """POST /generate/text/async. Raises what contract 3.1 lists, in its order."""
    body, applied = await styling.style_text(co, body)
    check_start(co, body.webhook or None)
    ask = _ask(Kind.TEXT, _with_webhook(intake.text_spec(body), caller, body.webhook or None), body, applied)
    ask = replace(ask, extra_images=len(body.extra_source_images))
    if co.filters:
        ask = await _screened(co, caller, ask, replacement=True)
    return await _submit(co, caller, ask)


class _Ask(msgspec.Struct, frozen=True):
    """A request on its way in."""

    kind: Kind
    spec: GenerationSpec
    proxied_account: str | None
    disable_batching: bool
    dry_run: bool
    downgrade: bool
    extra_images: int = 0
    hold: int = 0
    style: styling.Applied | None = None


def _ask(kind: Kind, spec: GenerationSpec, body: ImageRequest | TextRequest, style: styling.Applied | None) -> _Ask:
    return _Ask(
        kind,
        spec,
        (body.proxied_account or "")[:PROXIED_LENGTH] or None,
        body.disable_batching,
        body.dry_run,
        downgrade=body.allow_downgrade,
        style=style,
    )


def check_start(co: Coordinator, webhook: str | None) -> None:
    """Contract 3.1, checks 5 and 6."""
    co.check_open()
    if webhook is not None and not webhook.startswith("https://"):
        raise HordeError("BadRequest", reason="The webhook must start with https://.")


def webhook_target(caller: Caller, url: str | None) -> WebhookTarget | None:
    """Where the results of a request are told to, if its sender wants that."""
    return None if url is None else WebhookTarget(url, caller.base_url)


def _with_webhook(spec: S, caller: Caller, url: str | None) -> S:
    return spec if url is None else replace(spec, webhook=webhook_target(caller, url))


async def _submit(co: Coordinator, caller: Caller, ask: _Ask) -> RequestAccepted | DryRunAnswer:
    if ask.dry_run:
        _, ask = await co.db.read(lambda tx: _admit(tx, co, caller, ask))
        return DryRunAnswer(kudos=kudos.kudos(prices.estimate(co, ask.spec)))
    wp, ask = await co.db.write(lambda tx: _accept(tx, co, caller, ask))
    needs = needs_of(ask.spec)
    co.specs.learn(wp.id, ask.spec)
    served = co.presence.can_serve(ask.kind, wp.signature_id, needs, wp.user_id, co.clock.now_ms())
    estimate = kudos.kudos(wp.price * wp.jobs)
    if served or co.house.modes.raid:  # who attacks is not told what it could serve itself (contract 3.3)
        return RequestAccepted(id=wp.id, kudos=estimate)
    warning = (Warning_(code="NoAvailableWorker", message=NOBODY),)
    return RequestAccepted(
        id=wp.id, kudos=estimate, message=NOBODY, warnings=warning if ask.kind is Kind.IMAGE else UNSET
    )


async def _screened(co: Coordinator, caller: Caller, ask: _Ask, *, replacement: bool) -> _Ask:
    """Contract 3.1, check 16: the request with its prompt as the horde's filters let it through."""
    payer, _ = await co.db.read(lambda tx: _admit_user(tx, co, caller, ask))
    prompt = await screened(co, caller, payer.user, ask.kind, ask.spec.prompt, replace=replacement)
    return replace(ask, spec=replace(ask.spec, prompt=prompt))


def _admit(tx: Tx, co: Coordinator, caller: Caller, ask: _Ask) -> tuple[Payer, _Ask]:
    """Contract 3.1, checks 7 to 19; where there are filters, check 16 was made before.

    Returns who pays, and the request as it is for this user.
    """
    payer, ask = _admit_user(tx, co, caller, ask)
    spec = ask.spec
    if isinstance(spec, ImageSpec):
        validation.check_image(spec, payer.user, co.baselines)
    else:
        validation.check_text(spec)
        if ask.extra_images:
            raise HordeError("InvalidExtraSourceImages.")
    if payer.key is not None:
        payer = check_key(payer, spec, prices.estimate(co, spec), downgrade=ask.downgrade)
    if not co.rules.upfront:
        return payer, ask
    held = upfront.in_advance(tx, co, payer.user, spec, downgrade=ask.downgrade)
    return payer, replace(ask, spec=held.spec, hold=held.amount)


def _admit_user(tx: Tx, co: Coordinator, caller: Caller, ask: _Ask) -> tuple[Payer, _Ask]:
    """Contract 3.1, checks 7 to 15."""
    style_key = ask.style.style.sharedkey_id if ask.style else None
    payer = find_payer(tx, co, caller, downgrade=ask.downgrade, style_key=style_key)
    user = payer.user
    spec = intake.fitted(ask.spec, user)
    if spec is not ask.spec:
        ask = replace(ask, spec=spec)
    extra = len(spec.extra_source_images) if isinstance(spec, ImageSpec) else ask.extra_images
    validation.check_account(user, proxied=bool(ask.proxied_account), extra_images=extra)
    if not spec.prompt:
        raise HordeError("MissingPrompt")
    for worker_id in spec.audience.workers:
        if workers.by_id(tx, worker_id) is None:
            raise HordeError("WorkerNotFound", id=worker_id)
    validation.check_batching(user, spec.n, ask.disable_batching)
    validation.check_concurrency(user, _waiting(tx, ask.kind, user), spec.n)
    co.check_address(tx, caller)
    return payer, ask


def _waiting(tx: Tx, kind: Kind, user: User) -> int:
    """Jobs that wait for a worker: of one lane, unless it is the user of many addresses."""
    if user.anonymous:
        return queue.user_waiting(tx, kind, user.id)
    lane = queue.find_lane(tx, kind, user.id, "")
    return 0 if lane is None else lane.waiting


def _accept(tx: Tx, co: Coordinator, caller: Caller, ask: _Ask) -> tuple[WaitingPrompt, _Ask]:
    """The one transaction of a request: checks, counters, spec, queue, activation tax."""
    co.check_open()  # it may have closed while pictures were fetched
    payer, ask = _admit(tx, co, caller, ask)
    user = payer.user
    balance = ledger.balance(tx, user.id)
    tax = prices.activation(co, ask.spec, styled=styling.pays_owner(ask.style, user.id))
    entry = Entry(
        ask.kind,
        ask.spec,
        user,
        balance,
        prices.job_price(co, ask.spec),
        tax.kudos,
        proxied_account=ask.proxied_account,
        sharedkey_id=payer.key.id if payer.key else None,
        downgraded=payer.downgraded,
    )
    wp = enqueue(tx, co, caller, entry)
    if ask.hold:
        holds.add(tx, wp.id, user.id, ask.hold)
    if tax.kudos:
        ledger.post(
            tx, postings.charge(user, balance, tax.kudos, "request", tax.note), co.clock.now_ms(), request_id=wp.id
        )
        ledger.add_earned(tx, Earned(user.id, -tax.kudos))
        if payer.key is not None:
            sharedkeys.spend(tx, payer.key.id, tax.kudos)
    users.record(tx, users.Record(user.id, ask.kind, requested=wp.jobs))
    if ask.style is not None:
        styling.book(tx, co, ask.style, wp)
    tx.emit(RequestQueued(id=wp.id, kind=wp.kind, user_id=user.id))
    return wp, ask


async def check(co: Coordinator, request_id: str, kind: Kind) -> RequestCheck:
    """GET /generate/check/{id}: where a request stands, without its results."""
    wp = co.db.glance(lambda tx: requests.find(tx, request_id, kind))
    if wp is not None and not wp.processing:
        return RequestCheck(**standing(co, wp, ()))
    return RequestCheck(**standing(co, *await co.db.read(lambda tx: _with_running(tx, request_id, kind))))


async def image_status(co: Coordinator, request_id: str, base_url: str) -> ImageStatus:
    """GET /generate/status/{id}: where a request stands, with the images finished so far."""
    wp, running, done = await _state(co, request_id, Kind.IMAGE)
    return await _image_answer(co, wp, running, done, base_url)


async def text_status(co: Coordinator, request_id: str) -> TextStatus:
    """GET /generate/text/status/{id}: where a request stands, with the texts finished so far."""
    wp, running, done = await _state(co, request_id, Kind.TEXT)
    return _text_answer(co, wp, running, done)


async def cancel_image(co: Coordinator, request_id: str, base_url: str) -> ImageStatus:
    """DELETE /generate/status/{id}: answers the state as it was before."""
    wp, running, done = await co.db.write(lambda tx: _cancel(tx, request_id, Kind.IMAGE))
    return await _image_answer(co, wp, running, done, base_url)


async def cancel_text(co: Coordinator, request_id: str) -> TextStatus:
    """DELETE /generate/text/status/{id}: answers the state as it was before."""
    wp, running, done = await co.db.write(lambda tx: _cancel(tx, request_id, Kind.TEXT))
    return _text_answer(co, wp, running, done)


State = tuple[WaitingPrompt, list[Job], list[tuple[Job, str]]]  # its jobs in flight, those delivered and by whom


async def _state(co: Coordinator, request_id: str, kind: Kind) -> State:
    """All of one moment. Of a request that is done nothing changes any more, so that needs no transaction."""
    wp = co.db.glance(lambda tx: requests.find(tx, request_id, kind))
    if wp is not None and lifecycle.is_done(wp):
        done = co.db.glance(lambda tx: jobs.done_of(tx, request_id))
        if len(done) == wp.finished:  # else it was deleted just now
            return wp, [], done
    return await co.db.read(lambda tx: (*_with_running(tx, request_id, kind), jobs.done_of(tx, request_id)))


def _with_running(tx: Tx, request_id: str, kind: Kind) -> tuple[WaitingPrompt, list[Job]]:
    wp = requests.find(tx, request_id, kind)
    if wp is None:
        raise HordeError("RequestNotFound", id=request_id)
    return wp, jobs.running_of(tx, request_id) if wp.processing else []


def _cancel(tx: Tx, request_id: str, kind: Kind) -> State:
    wp, running = _with_running(tx, request_id, kind)
    after = lifecycle.cancel(wp)
    advance(tx, wp, after)
    for job in running:
        if job.in_process:
            tx.emit(JobStopped(job.id))
    tell_done(tx, after)
    return wp, running, jobs.done_of(tx, request_id)


async def _image_answer(
    co: Coordinator, wp: WaitingPrompt, running: list[Job], done: list[tuple[Job, str]], base_url: str
) -> ImageStatus:
    where = standing(co, wp, running)
    return ImageStatus(**where, generations=await image_generations(co, wp, done, base_url))


def _text_answer(co: Coordinator, wp: WaitingPrompt, running: list[Job], done: list[tuple[Job, str]]) -> TextStatus:
    return TextStatus(**standing(co, wp, running), generations=text_generations(done))
