"""Generating from Python without HTTP: ask the node's own horde and wait for the result."""

from __future__ import annotations

import base64
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import msgspec
from msgspec import UNSET

from hordenode.catalog import near_name
from hordenode.coordinator.local import LocalHorde
from hordenode.coordinator.waits import HasDone
from hordenode.domain.forms import FORMS, POST_PROCESSORS
from hordenode.ops.events import EventBus, JobProgress, RequestDone, Subscription
from hordenode.protocol.alchemy import AlchemyAccepted, AlchemyForm, AlchemyRequest
from hordenode.protocol.common import DryRunAnswer, RequestAccepted
from hordenode.protocol.decode import decode
from hordenode.protocol.extension import ChatMessage, TextExtension, TokenLikelihood, given
from hordenode.protocol.image import ImageParams, ImageRequest
from hordenode.protocol.text import TextParams, TextRequest

Progress = Callable[[JobProgress], None]


class GenerationFailed(Exception):
    """The horde accepted the request and gave it up; the text says why."""


@dataclass(frozen=True, slots=True)
class ImageAsk:
    """A picture to make. Sizes in pixels, multiples of 64."""

    prompt: str
    negative_prompt: str = ""
    model: str | None = None
    width: int = 512
    height: int = 512
    steps: int = 20
    seed: int | None = None
    sampler: str = "k_euler_a"
    cfg_scale: float = 5.0

    def request(self) -> ImageRequest:
        """The request as the API knows it. Raises ValidationFailed for what no horde takes."""
        prompt = f"{self.prompt} ### {self.negative_prompt}" if self.negative_prompt else self.prompt
        made = ImageRequest(
            prompt=prompt,
            models=(self.model,) if self.model else (),
            params=ImageParams(
                width=self.width,
                height=self.height,
                steps=self.steps,
                sampler_name=self.sampler,  # type: ignore[arg-type]
                cfg_scale=self.cfg_scale,
                seed=UNSET if self.seed is None else str(self.seed),
            ),
            nsfw=False,
        )
        return decode(ImageRequest, msgspec.json.encode(made))


@dataclass(frozen=True, slots=True)
class TextAsk:
    """A text to continue. Lengths in tokens.

    `chat`: answer the prompt, as the model's chat template has it said, instead of going on with it; a model without one
    gives the request up. `logprobs`: tell how likely each token was, and so many others.
    """

    prompt: str
    model: str | None = None
    max_length: int = 80
    max_context_length: int = 2048
    temperature: float | None = None
    stop_sequence: tuple[str, ...] = ()
    chat: bool = False
    logprobs: int | None = None

    def request(self) -> TextRequest:
        """The request as the API knows it. Raises ValidationFailed for what no horde takes."""
        extension = TextExtension(
            messages=(ChatMessage(role="user", content=self.prompt),) if self.chat else (),
            logprobs=UNSET if self.logprobs is None else self.logprobs,
        )
        made = TextRequest(
            prompt=self.prompt,
            models=(self.model,) if self.model else (),
            params=TextParams(
                max_length=self.max_length,
                max_context_length=self.max_context_length,
                temperature=UNSET if self.temperature is None else self.temperature,
                stop_sequence=self.stop_sequence or UNSET,
                hordenode=extension if given(extension) else UNSET,
            ),
        )
        return decode(TextRequest, msgspec.json.encode(made))


@dataclass(frozen=True, slots=True)
class GeneratedImage:
    """A finished picture: WebP bytes, and what is needed to make it again."""

    data: bytes
    seed: int
    model: str
    worker_name: str
    id: str


@dataclass(frozen=True, slots=True)
class GeneratedText:
    """A finished text, without its prompt. `logprobs`: of its tokens, where asked for."""

    text: str
    seed: int
    model: str
    worker_name: str
    logprobs: tuple[TokenLikelihood, ...] = ()


class Generator:
    """Asks the local horde as its owner."""

    def __init__(self, horde: LocalHorde, bus: EventBus) -> None:
        self._horde = horde
        self._bus = bus

    async def image(self, ask: ImageAsk, progress: Progress | None) -> GeneratedImage:
        """Raises HordeError for what the horde refuses, GenerationFailed when it gave up."""
        request = ask.request()
        request_id = await self._run(lambda: self._horde.request_image(request), self._horde.cancel_image, progress)
        status = await self._horde.image_status(request_id)
        if not status.generations:
            raise GenerationFailed(_reason(status.restarted))
        made = status.generations[0]
        data = await self._horde.download(made.img)
        return GeneratedImage(data, int(made.seed), made.model, made.worker_name, made.id)

    async def text(self, ask: TextAsk, progress: Progress | None) -> GeneratedText:
        """Raises HordeError for what the horde refuses, GenerationFailed when it gave up."""
        request = ask.request()
        request_id = await self._run(lambda: self._horde.request_text(request), self._horde.cancel_text, progress)
        status = await self._horde.text_status(request_id)
        if not status.generations:
            raise GenerationFailed(_reason(status.restarted))
        made = status.generations[0]
        text = made.text.lstrip() if ask.chat else made.text  # a template may end before the space
        logprobs = () if made.hordenode is UNSET else made.hordenode.logprobs
        return GeneratedText(text, made.seed, made.model, made.worker_name, logprobs)

    async def alchemy(self, form: str, picture: bytes, options: dict[str, Any]) -> Any:
        """What the form answers; a WebP file where it makes a picture. Raises as `image` does, and where nobody does it."""
        if form not in FORMS:
            raise GenerationFailed(f"There is no form '{form}'; {near_name(form, sorted(FORMS))}")
        source = base64.b64encode(picture).decode()
        wanted = AlchemyForm(name=form, payload=options)  # type: ignore[arg-type]  # checked above
        request = AlchemyRequest(source_image=source, forms=(wanted,))
        horde = self._horde
        request_id = await self._run(
            lambda: horde.request_alchemy(request), horde.cancel_alchemy, None, horde.alchemy_status
        )
        found = (await horde.alchemy_status(request_id)).forms[0]
        if not found.result:
            raise GenerationFailed(f"'{form}' was given up. The node's log says why.")
        value = found.result[form]
        return await horde.download(value) if form in POST_PROCESSORS else value

    async def _run(
        self,
        submit: Callable[[], Awaitable[RequestAccepted | DryRunAnswer | AlchemyAccepted]],
        cancel: Callable[[str], Awaitable[object]],
        progress: Progress | None,
        look: Callable[[str], Awaitable[HasDone]] | None = None,
    ) -> str:
        """Submit and wait until done; returns the request's id. What nobody waits for any more is cancelled."""
        with self._bus.subscribe(JobProgress, RequestDone) as events:
            accepted = await submit()
            assert not isinstance(accepted, DryRunAnswer)
            look = look or self._horde.check
            try:
                if isinstance(accepted, AlchemyAccepted) and accepted.message:
                    raise GenerationFailed("No worker of this node does that: it needs a model in models.toml.")
                while not (await look(accepted.id)).done:
                    await _follow(events, accepted.id, progress)
            except BaseException:
                await cancel(accepted.id)
                raise
            return accepted.id


async def _follow(events: Subscription, request_id: str, progress: Progress | None) -> None:
    """Report the steps of the request's jobs until it is done, or events were missed."""
    events.gap = False
    while not events.gap:
        event = await events.next()
        if isinstance(event, JobProgress) and event.request_id == request_id and progress is not None:
            progress(event)
        elif isinstance(event, RequestDone) and event.id == request_id:
            return


def _reason(attempts: int) -> str:
    return f"The request was given up after {attempts} failed attempts. The node's log says why."
