"""Alchemy requests: several things to do with one picture (contract 12).

A request is a bundle: each of its forms stands in the queue as a request of one job, so that lanes, matching, jobs,
kudos and expiry are those of images and texts.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec
from msgspec import UNSET

from hordenode.coordinator import prices
from hordenode.coordinator.changes import JobStopped, advance, tell_done
from hordenode.coordinator.context import Caller, Coordinator
from hordenode.coordinator.entry import Entry, enqueue
from hordenode.coordinator.requests import NOBODY, check_start, webhook_target
from hordenode.coordinator.results import alchemy_result
from hordenode.coordinator.sources import stored_one
from hordenode.domain import lifecycle, validation
from hordenode.domain.entities import Kind, User, WaitingPrompt
from hordenode.domain.forms import FormState, request_state, state_of
from hordenode.domain.needs import needs_of
from hordenode.domain.spec import AlchemySpec, Audience, SourceImage, WebhookTarget
from hordenode.ops.events import RequestQueued
from hordenode.protocol.alchemy import (
    AlchemyAccepted,
    AlchemyForm,
    AlchemyFormStatus,
    AlchemyRequest,
    AlchemyStatus,
)
from hordenode.protocol.errors import HordeError
from hordenode.store import alchemy, jobs, ledger, users
from hordenode.store.alchemy import Form
from hordenode.store.tx import Tx


async def submit(co: Coordinator, caller: Caller, body: AlchemyRequest) -> AlchemyAccepted:
    """POST /interrogate/async. A form that is named twice counts once ([FIX] 12)."""
    check_start(co, body.webhook or None)
    first: dict[str, AlchemyForm] = {}
    for form in body.forms:
        first.setdefault(form.name, form)
    forms = list(first.values())
    await co.db.read(lambda tx: _admit(tx, co, caller, len(forms)))  # nothing is fetched for who may not ask
    async with stored_one(co, body.source_image) as (source, tiles):
        specs = _specs(forms, body, source, tiles, webhook_target(caller, body.webhook or None))
        alchemy_id, wps = await co.db.write(lambda tx: _accept(tx, co, caller, specs, source))
    for wp, spec in zip(wps, specs, strict=True):
        co.verdicts.learn(wp.signature_id, needs_of(spec))
        co.specs.learn(wp.id, spec)
    served = all(_served(co, wp) for wp in wps)
    return AlchemyAccepted(id=alchemy_id, message=UNSET if served else NOBODY)


async def status(co: Coordinator, alchemy_id: str, base_url: str) -> AlchemyStatus:
    """GET /interrogate/status/{id}."""
    return _answer(co, await co.db.read(lambda tx: _forms(tx, co, alchemy_id)), base_url)


async def cancel(co: Coordinator, alchemy_id: str, base_url: str) -> AlchemyStatus:
    """DELETE /interrogate/status/{id}: forms that are not done are cancelled; answers the new state."""

    def write(tx: Tx) -> list[Form]:
        for form in _forms(tx, co, alchemy_id):
            if state_of(form.wp) in (FormState.WAITING, FormState.PROCESSING):
                _cancel(tx, form)
        return _forms(tx, co, alchemy_id)

    return _answer(co, await co.db.write(write), base_url)


def _specs(
    forms: Iterable[AlchemyForm], body: AlchemyRequest, source: SourceImage, tiles: int, webhook: WebhookTarget | None
) -> list[AlchemySpec]:
    audience = Audience(trusted_workers=body.trusted_workers, slow_workers=body.slow_workers)
    return [AlchemySpec(form.name, source, tiles, audience, _options(form), webhook) for form in forms]


def _options(form: AlchemyForm) -> dict[str, str]:
    """The payload as workers get it: text throughout."""
    given: dict[str, Any] = form.payload or {}
    return {name: value if isinstance(value, str) else _text(value) for name, value in given.items()}


def _text(value: object) -> str:
    if isinstance(value, (dict, list)):
        return msgspec.json.encode(value).decode()
    return str(value)


def _admit(tx: Tx, co: Coordinator, caller: Caller, n: int) -> User:
    user = co.authenticate(tx, caller)
    validation.check_forms(user, alchemy.open_forms(tx, user.id), n)
    return user


def _accept(
    tx: Tx, co: Coordinator, caller: Caller, specs: list[AlchemySpec], source: SourceImage
) -> tuple[str, list[WaitingPrompt]]:
    """The one transaction of a request; returns its id and its forms."""
    co.check_open()  # it may have closed while the picture was fetched
    user = _admit(tx, co, caller, len(specs))
    balance = ledger.balance(tx, user.id)
    alchemy_id = co.ids.uuid()
    expires_ms = lifecycle.expiry(co.clock.now_ms())
    alchemy.insert(tx, alchemy_id, user_id=user.id, source=source.blob or "", expires_ms=expires_ms)
    wps = []
    for position, spec in enumerate(specs):
        price = prices.job_price(co, spec)
        wp = enqueue(tx, co, caller, Entry(Kind.ALCHEMY, spec, user, balance, price, tax=0))
        alchemy.add_form(tx, alchemy_id, wp, position, spec.form)
        wps.append(wp)
    users.record(tx, users.Record(user.id, Kind.ALCHEMY, requested=len(specs)))
    tx.emit(RequestQueued(id=alchemy_id, kind=Kind.ALCHEMY, user_id=user.id))
    return alchemy_id, wps


def _forms(tx: Tx, co: Coordinator, alchemy_id: str) -> list[Form]:
    forms = alchemy.forms(tx, alchemy_id, co.clock.now_ms())
    if forms is None:
        raise HordeError("RequestNotFound", id=alchemy_id)
    return forms


def _cancel(tx: Tx, form: Form) -> None:
    """Nobody gets the form any more; a worker of this node that has it may stop at once."""
    after = lifecycle.cancel(form.wp)
    advance(tx, form.wp, after)
    for job in jobs.running_of(tx, form.wp.id):
        if job.in_process:
            tx.emit(JobStopped(job.id))
    tell_done(tx, after)


def _answer(co: Coordinator, forms: list[Form], base_url: str) -> AlchemyStatus:
    state = request_state([state_of(form.wp) for form in forms])
    waiting = [form.wp for form in forms if state_of(form.wp) is FormState.WAITING]
    if state == FormState.WAITING and all(_served(co, wp) for wp in waiting):
        state = FormState.PROCESSING.value  # one client gives up on anything else (clients.md 4)
    return AlchemyStatus(state=state, forms=tuple(_form_status(co, form, base_url) for form in forms))


def _served(co: Coordinator, wp: WaitingPrompt) -> bool:
    """Whether somebody who can do the form is there."""
    needs = co.verdicts.known(wp.signature_id)
    if needs is None:
        return False
    return co.presence.can_serve(Kind.ALCHEMY, wp.signature_id, needs, wp.user_id, co.clock.now_ms())


def _form_status(co: Coordinator, form: Form, base_url: str) -> AlchemyFormStatus:
    state = state_of(form.wp)
    if state is not FormState.DONE or form.job is None:
        return AlchemyFormStatus(form=form.name, state=state.value)
    return AlchemyFormStatus(form=form.name, state=state.value, result=alchemy_result(co, form.job, base_url))
