"""Handing jobs back as faulted: what a worker submits for whatever it cannot do (worker_protocol.md 3, 4, 5)."""

from __future__ import annotations

from hordenode.protocol.alchemy import AlchemySubmit
from hordenode.protocol.image import ImageSubmit
from hordenode.protocol.text import TextSubmit


def image_fault(job_id: str) -> ImageSubmit:
    return ImageSubmit(id=job_id, generation="faulted", seed=0, state="faulted")


def text_fault(job_id: str) -> TextSubmit:
    return TextSubmit(id=job_id, generation="faulted", state="faulted")


def form_fault(form_id: str) -> AlchemySubmit:
    return AlchemySubmit(id=form_id, result={}, state="faulted")
