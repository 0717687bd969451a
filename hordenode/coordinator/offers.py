"""From a pop to an offer, and the admission of the worker behind it (contract 11)."""

from __future__ import annotations

import msgspec
from msgspec.structs import replace

from hordenode.coordinator.conduct import note_offer
from hordenode.coordinator.context import Caller, Coordinator
from hordenode.coordinator.presence import Pop
from hordenode.coordinator.verdicts import Judge
from hordenode.coordinator.worker_edits import NAME_LENGTH, clean_name
from hordenode.domain.capabilities import Agent
from hordenode.domain.entities import Kind, User, Worker
from hordenode.domain.forms import FORMS
from hordenode.domain.limits import max_workers
from hordenode.domain.matching import AlchemyOffer, ImageOffer, Offer, TextOffer, WorkerFacts, coarse_speed
from hordenode.protocol.alchemy import AlchemyPop
from hordenode.protocol.errors import MODELS_REFUSED, HordeError
from hordenode.protocol.image import ImagePop
from hordenode.protocol.text import TextPop
from hordenode.store import workers
from hordenode.store.tx import Tx

CHECK_IN_MS = 30_000
# As much of an offer's lists as counts (contract 11).
MOST_IMAGE_MODELS, MOST_TEXT_MODELS, MOST_WORDS, MOST_PREFERRED = 300, 200, 200, 200
WORD_LENGTH, SOFTPROMPT_LENGTH = 15, 100


class Admitted(msgspec.Struct, frozen=True):
    """A worker that may pop, with its owner and what it offers now."""

    owner: User
    worker: Worker
    judge: Judge

    @property
    def offer(self) -> Offer:
        return self.judge.offer


def priority_users(pop: Pop) -> frozenset[int]:
    """User ids of `priority_usernames`; InvalidPriorityUsername, for alchemists BadRequest, without a # and digits."""
    found = set()
    for name in pop.priority_usernames[:MOST_PREFERRED]:
        _, mark, digits = name.rpartition("#")
        if not mark or not digits.isdecimal():
            raise (
                _no_alias(name) if isinstance(pop, AlchemyPop) else HordeError("InvalidPriorityUsername", username=name)
            )
        found.add(int(digits))
    return frozenset(found)


def _no_alias(name: str) -> HordeError:
    return HordeError("BadRequest", reason=f"The priority username '{name:.100}' needs the form name#id.")


def admit(tx: Tx, co: Coordinator, caller: Caller, kind: Kind, pop: Pop) -> Admitted:
    """Contract 11, admission order. A new worker gets its row; an existing one's settings are stored when they change."""
    preferred = priority_users(pop)
    owner = co.authenticate(tx, caller)
    if owner.deleted:
        raise HordeError("DeletedUser", status=403)
    if owner.flagged:
        raise HordeError("WorkerFlaggedMaintenance")
    if owner.anonymous:
        raise HordeError("AnonForbiddenWorker")
    name = checked_name(pop.name)
    worker = workers.by_name(tx, name)
    if worker is not None and worker.kind != kind:
        raise HordeError("PolymorphicNameConflict", name=name)
    co.check_address(tx, caller)
    if worker is None:
        worker = _register(tx, co, caller, owner, kind, pop)
    elif worker.user_id != owner.id:
        raise HordeError("WrongCredentials", what=f"the worker name '{name}'")
    else:
        worker = _check_in(tx, co, caller, owner, worker, pop)
    if isinstance(pop, ImagePop) and not pop.models:
        raise HordeError("BadRequest", MODELS_REFUSED)
    return Admitted(owner, worker, _judge(co, pop, _facts(co, owner, worker), preferred | {owner.id}))


def checked_name(name: str) -> str:
    """A popping worker's name as it is stored; BadRequest for an empty or a long one."""
    clean = clean_name(name)
    if not clean:
        raise HordeError("BadRequest", reason="The worker's name is empty.")
    if len(clean) > NAME_LENGTH:
        raise HordeError("BadRequest", reason=f"The worker's name is longer than {NAME_LENGTH} characters.")
    return clean


def _judge(co: Coordinator, pop: Pop, facts: WorkerFacts, preferred: frozenset[int]) -> Judge:
    """What is known of this offer. Almost every pop repeats its worker's last one, which then need not be made again."""
    present = co.presence.get(facts.worker_id)
    if present is not None and present.pop == pop and present.judge.offer.facts == facts:
        return present.judge
    return co.verdicts.judge(make_offer(pop, facts, preferred))


def make_offer(pop: Pop, facts: WorkerFacts, preferred: frozenset[int]) -> Offer:
    """What matching reads of a pop."""
    agent = Agent.parse(pop.bridge_agent)
    if isinstance(pop, TextPop):
        return TextOffer(
            facts=facts,
            models=pop.models[:MOST_TEXT_MODELS],
            agent=agent,
            max_length=pop.max_length,
            max_context_length=pop.max_context_length,
            nsfw=pop.nsfw,
            softprompts=tuple(name[:SOFTPROMPT_LENGTH] for name in pop.softprompts[:MOST_WORDS]),
            extra_slow=pop.extra_slow_worker,
            require_upfront_kudos=pop.require_upfront_kudos,
            priority_users=preferred,
        )
    if isinstance(pop, AlchemyPop):
        return AlchemyOffer(facts, agent, frozenset(pop.forms) & FORMS, pop.max_tiles, preferred)
    return ImageOffer(
        facts=facts,
        models=frozenset(pop.models[:MOST_IMAGE_MODELS]),
        agent=agent,
        max_pixels=pop.max_pixels,
        nsfw=pop.nsfw,
        allow_img2img=pop.allow_img2img,
        allow_painting=pop.allow_painting,
        allow_post_processing=pop.allow_post_processing,
        allow_controlnet=pop.allow_controlnet,
        allow_sdxl_controlnet=pop.allow_sdxl_controlnet,
        allow_lora=pop.allow_lora,
        extra_slow=pop.extra_slow_worker,
        blacklist=tuple(word[:WORD_LENGTH] for word in pop.blacklist[:MOST_WORDS]),
        require_upfront_kudos=pop.require_upfront_kudos,
        priority_users=preferred,
    )


def _facts(co: Coordinator, owner: User, worker: Worker) -> WorkerFacts:
    present = co.presence.get(worker.id)
    speed = present.speed if present else worker.speed
    return WorkerFacts(worker.id, owner.id, owner.trusted, worker.maintenance, coarse_speed(worker.kind, speed))


def _check_newcomer(tx: Tx, co: Coordinator, caller: Caller, owner: User, pop: Pop) -> None:
    """What a worker must pass that pops for the first time (contract 11)."""
    co.rules.check_words(pop.name, "ProfaneWorkerName")
    co.rules.check_words(pop.bridge_agent, "ProfaneBridgeAgent")
    allowed, count = max_workers(owner), workers.count_of_user(tx, owner.id)
    if co.house.modes.invite_only and count >= owner.worker_invited and not caller.in_process:
        raise HordeError("WorkerInviteOnly")
    if count >= allowed:
        raise HordeError("TooManyWorkersTrusted" if owner.trusted else "TooManyWorkers", limit=allowed)
    here = max(co.rules.workers_per_address, owner.worker_invited) if co.rules.workers_per_address else allowed
    if not owner.admin and workers.count_at(tx, owner.id, caller.address) >= here:
        raise HordeError("TooManySameIPs")


def _register(tx: Tx, co: Coordinator, caller: Caller, owner: User, kind: Kind, pop: Pop) -> Worker:
    _check_newcomer(tx, co, caller, owner, pop)
    now = co.clock.now_ms()
    worker = Worker(
        id=co.ids.uuid(),
        name=checked_name(pop.name),
        kind=kind,
        user_id=owner.id,
        created_ms=now,
        seen_ms=now,
        address=caller.address,
        bridge_agent=pop.bridge_agent,
        offer=_stored(pop),
    )
    workers.insert(tx, worker)
    note_offer(tx, owner, worker, pop, now)
    return worker


def _stored(pop: Pop) -> str:
    """The offer as the record of the worker has it."""
    if isinstance(pop, ImagePop):
        pop = replace(pop, models=pop.models[:MOST_IMAGE_MODELS], blacklist=pop.blacklist[:MOST_WORDS])
    elif isinstance(pop, TextPop):
        pop = replace(pop, models=pop.models[:MOST_TEXT_MODELS], softprompts=pop.softprompts[:MOST_WORDS])
    return msgspec.json.encode(replace(pop, priority_usernames=pop.priority_usernames[:MOST_PREFERRED])).decode()


def _check_in(tx: Tx, co: Coordinator, caller: Caller, owner: User, worker: Worker, pop: Pop) -> Worker:
    """Store what changed, at most every 30 s (contract 11): an empty pop normally writes nothing."""
    now = co.clock.now_ms()
    if now - worker.seen_ms < CHECK_IN_MS:
        return worker
    offer = _stored(pop)
    seen = replace(worker, seen_ms=now, address=caller.address, bridge_agent=pop.bridge_agent, offer=offer)
    workers.check_in(tx, seen)
    note_offer(tx, owner, worker, pop, now)
    return seen
