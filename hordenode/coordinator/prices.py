"""What requests cost and jobs earn in this horde: domain/kudos.py's prices, or nothing where kudos are off."""

from __future__ import annotations

import msgspec

from hordenode.coordinator.context import Coordinator
from hordenode.coordinator.presence import Pop
from hordenode.domain import kudos, priority, receipts
from hordenode.domain.capabilities import VALIDATED_TEXT_BACKENDS, Agent
from hordenode.domain.entities import User, Worker
from hordenode.domain.forms import form_charge, form_price
from hordenode.domain.spec import AlchemySpec, GenerationSpec, ImageSpec, Spec, TextSpec
from hordenode.protocol.alchemy import AlchemyPop
from hordenode.protocol.image import ImagePop


class Amount(msgspec.Struct, frozen=True):
    """Thousandths of a kudos, and how they came about."""

    kudos: int
    note: str


FREE = Amount(0, "")


def job_price(co: Coordinator, spec: Spec) -> int:
    """The price per job, before what it really earns is known."""
    if not co.rules.kudos:
        return 0
    if isinstance(spec, ImageSpec):
        return kudos.image_price(spec)
    if isinstance(spec, AlchemySpec):
        return form_price(spec.form, spec.tiles)
    models = spec.audience.models
    return kudos.text_price(spec, kudos.model_size(models[0], co.text_sizes) if models else None)


def estimate(co: Coordinator, spec: GenerationSpec) -> int:
    """What a dry run answers: the whole request (contract 10.3)."""
    if not co.rules.kudos:
        return 0
    if isinstance(spec, TextSpec):
        return (job_price(co, spec) + 1000) * spec.n + 1000
    models = spec.audience.models
    return kudos.dry_run_image(spec, co.baselines.of(models[0] if models else "[SDXL]"))


def activation(co: Coordinator, spec: Spec, *, styled: bool = False) -> Amount:
    """What is charged when a request is accepted (contract 10.3)."""
    if not co.rules.kudos:
        return FREE
    return Amount(kudos.activation_charge(spec, styled=styled), receipts.activation(spec, styled=styled))


def settlement(
    co: Coordinator, spec: Spec, model: str, worker: Worker, owner: User, *, result: str, censored: bool
) -> tuple[Amount, Amount]:
    """(what the worker's owner earns, what the requester pays) for a job that is delivered (contract 10.2, 10.4)."""
    if not co.rules.kudos:
        return FREE, FREE
    if isinstance(spec, ImageSpec):
        baseline = co.baselines.of(model)
        reward = kudos.image_reward(spec, baseline)
        charge = kudos.image_charge(spec, reward, censored=censored)
        return (
            Amount(reward, receipts.image_reward(spec, baseline)),
            Amount(charge, receipts.image_charge(spec, reward, censored=censored)),
        )
    if isinstance(spec, AlchemySpec):
        reward = form_price(spec.form, spec.tiles)
        return (
            Amount(reward, receipts.form_reward(spec)),
            Amount(form_charge(spec, reward), receipts.form_charge(spec, reward)),
        )
    size, validated = kudos.model_size(model, co.text_sizes), is_validated(worker.bridge_agent)
    reward = kudos.text_reward(spec, result, size, owner_trusted=owner.trusted, validated=validated)
    return (
        Amount(reward, receipts.text_reward(spec, result, size, owner_trusted=owner.trusted, validated=validated)),
        Amount(kudos.text_charge(reward, censored=censored), receipts.text_charge(reward, censored=censored)),
    )


def uptime(co: Coordinator, pop: Pop) -> Amount:
    """What ten minutes of a worker with this offer earn (contract 10.7)."""
    if not co.rules.kudos:
        return FREE
    if isinstance(pop, AlchemyPop):
        return Amount(kudos.ALCHEMY_UPTIME, f"ten minutes: {receipts.number(kudos.ALCHEMY_UPTIME)}")
    if isinstance(pop, ImagePop):
        models, lora = len(pop.models), pop.allow_lora
        return Amount(kudos.image_uptime(models, lora=lora), receipts.image_uptime(models, lora=lora))
    size = kudos.model_size(pop.models[0], co.text_sizes) if pop.models else None
    context, validated = pop.max_context_length, is_validated(pop.bridge_agent)
    return Amount(
        kudos.text_uptime(context, size, validated=validated), receipts.text_uptime(context, size, validated=validated)
    )


def is_validated(bridge_agent: str) -> bool:
    """Whether a text backend is one of those that the contract trusts (6.3)."""
    return Agent.parse(bridge_agent).name in VALIDATED_TEXT_BACKENDS


def standing(co: Coordinator, user: User, balance: int, *, downgraded: bool = False) -> tuple[int, int]:
    """(priority, band) of a user's new request. Without kudos only fair share decides: flagged users come last."""
    if downgraded:
        return priority.DOWNGRADED_PRIORITY, 0
    if not co.rules.kudos:
        return priority.WITHOUT_KUDOS_FLAGGED if user.flagged else priority.WITHOUT_KUDOS
    return priority.extra_priority(user, balance), priority.kudos_band(user, balance)
