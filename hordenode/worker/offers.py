"""What a worker of ours says it can do: from the engine's models and the owner's settings (worker_protocol.md 3, 4)."""

from __future__ import annotations

from collections.abc import Iterable

from hordenode.config import WorkerSettings
from hordenode.domain.forms import OWN_FORMS
from hordenode.engine.jobs import ModelInfo
from hordenode.protocol.alchemy import AlchemyPop
from hordenode.protocol.image import ImagePop
from hordenode.protocol.text import TextPop

MOST_THREADS = 50  # worker_protocol.md 4
MOST_AT_ONCE = 20  # worker_protocol.md 1


def image_offer(models: Iterable[ModelInfo], settings: WorkerSettings, name: str, agent: str) -> ImagePop | None:
    """The offer of an image worker; None when the engine has no image model that the owner offers.

    Pictures to start from are taken when every offered model can; nobody says which model a job will name.
    """
    known = list(models)
    names = _offered("image", known, settings.image_models)
    if not names:
        return None
    sources = all(model.sources for model in known if model.kind == "image" and model.name in names)
    return ImagePop(
        name=name,
        models=names,
        nsfw=settings.nsfw,
        bridge_agent=agent,
        max_pixels=settings.max_pixels,
        amount=settings.amount,
        blacklist=settings.blacklist,
        priority_usernames=settings.priority_users,
        allow_img2img=sources,
        allow_painting=sources,
        allow_post_processing=False,
    )


def text_offer(models: Iterable[ModelInfo], settings: WorkerSettings, name: str, agent: str) -> TextPop | None:
    """The offer of a text worker; None when the engine has no text model that the owner offers."""
    known = list(models)
    names = _offered("text", known, settings.text_models)
    if not names:
        return None
    offered = [model for model in known if model.kind == "text" and model.name in names]
    context = max(model.context for model in offered)
    return TextPop(
        name=name,
        models=names,
        nsfw=settings.nsfw,
        bridge_agent=agent,
        threads=min(MOST_THREADS, max(model.max_batch for model in offered)),
        max_length=settings.max_length,
        amount=settings.amount,
        priority_usernames=settings.priority_users,
        max_context_length=context,
    )


def alchemy_offer(
    models: Iterable[ModelInfo], settings: WorkerSettings, name: str, agent: str, *, abroad: bool = False
) -> AlchemyPop | None:
    """The offer of an alchemist; None when the engine has no form that the owner offers.

    `abroad`: to another horde, which may refuse a worker for a form of ours, and whose users would be disappointed by a
    demo model; only the owner offers these there.
    """
    known = list(models)
    forms = _offered("alchemy", known, settings.forms)
    if abroad and not settings.forms:
        at_home = OWN_FORMS | {model.name for model in known if not model.abroad}
        forms = tuple(form for form in forms if form not in at_home)
    if not forms:
        return None
    return AlchemyPop(
        name=name,
        forms=forms,
        bridge_agent=agent,
        max_tiles=settings.max_tiles,
        amount=settings.amount,
        priority_usernames=settings.priority_users,
    )


def _offered(kind: str, models: Iterable[ModelInfo], wanted: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(model.name for model in models if model.kind == kind and (not wanted or model.name in wanted))
