"""Alchemy: what a form is, what it costs, and how the states of forms make that of a request (contract 12)."""

from __future__ import annotations

from collections.abc import Collection
from enum import StrEnum
from typing import get_args

from hordenode.domain.entities import WaitingPrompt
from hordenode.domain.kudos import milli
from hordenode.domain.spec import AlchemySpec
from hordenode.protocol.alchemy import FormName, OwnForm
from hordenode.protocol.image import PostProcessor

FORMS = frozenset(get_args(FormName))
OWN_FORMS = frozenset(get_args(OwnForm))
POST_PROCESSORS = frozenset(get_args(PostProcessor)) | OWN_FORMS
SHOWN_WITHOUT_FORMS = ("caption",)  # of an alchemist that lists none

MAX_TILES = 255
TILE = 512
FORMS_PER_CONCURRENCY = 10
FORM_TTL_S = 180
_INTERROGATION_PRICE = 3
TILE_PRICE = 3


class FormState(StrEnum):
    """The wire's states of a form."""

    WAITING = "waiting"
    PROCESSING = "processing"
    DONE = "done"
    CANCELLED = "cancelled"
    FAULTED = "faulted"


def tiles_of(width: int, height: int) -> int:
    """The number of 512-pixel tiles that a picture takes."""
    return -(-width // TILE) * -(-height // TILE)


def form_price(form: str, tiles: int) -> int:
    """What a form pays its worker, in thousandths of a kudos."""
    if form in POST_PROCESSORS:
        return milli(TILE_PRICE * tiles)
    return milli(_INTERROGATION_PRICE if form == "interrogation" else 1)


def form_charge(spec: AlchemySpec, reward: int) -> int:
    """What a finished form costs its requester; one more where slow workers will do."""
    return reward + milli(2 if spec.audience.slow_workers else 1)


def state_of(wp: WaitingPrompt) -> FormState:
    """A form is a request of one job. Cancelled stays cancelled, though a worker that has it is still paid."""
    if wp.cancelled:
        return FormState.CANCELLED
    if wp.faulted:
        return FormState.FAULTED
    if wp.finished:
        return FormState.DONE
    return FormState.PROCESSING if wp.processing else FormState.WAITING


def request_state(forms: Collection[FormState]) -> str:
    """The state of a request from those of its forms; without forms it is faulted."""
    for state in (FormState.FAULTED, FormState.DONE):
        if all(form is state for form in forms):
            return state.value
    for state in (FormState.PROCESSING, FormState.WAITING):
        if state in forms:
            return state.value
    return "partial"
