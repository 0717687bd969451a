"""Text requests, jobs and results."""

from __future__ import annotations

from typing import Annotated, ClassVar

from msgspec import UNSET, Meta, UnsetType
from msgspec.structs import force_setattr

from hordenode.protocol.common import (
    UNKNOWN_AGENT,
    ExtraSourceImage,
    GenMetadata,
    JobSourceImage,
    RequestCheck,
    SubmitState,
    TextGenMetadata,
    WorkerMessage,
)
from hordenode.protocol.extension import TextExtension, TextMade
from hordenode.protocol.image import ModelName
from hordenode.protocol.wire import Answer, Count, Int64, Request, Unit, rule, to_int64, whole_number

UpTo5 = Annotated[float, Meta(ge=0.0, le=5.0)]
UpTo10 = Annotated[float, Meta(ge=0.0, le=10.0)]


class TextStyleParams(Request, frozen=True, kw_only=True):
    """How to write, as far as a style can say it."""

    temperature: UpTo5 | UnsetType = UNSET
    top_p: Annotated[float, Meta(ge=0.001, le=1.0)] | UnsetType = UNSET
    top_k: Annotated[int, Meta(ge=0, le=200)] | UnsetType = UNSET
    top_a: Unit | UnsetType = UNSET
    tfs: Unit | UnsetType = UNSET
    typical: Unit | UnsetType = UNSET
    min_p: Unit | UnsetType = UNSET
    rep_pen: Annotated[float, Meta(ge=1.0, le=3.0)] | UnsetType = UNSET
    rep_pen_range: Annotated[int, Meta(ge=0, le=4096)] | UnsetType = UNSET
    rep_pen_slope: UpTo10 | UnsetType = UNSET
    smoothing_factor: UpTo10 | UnsetType = UNSET
    dynatemp_range: UpTo5 | UnsetType = UNSET
    dynatemp_exponent: UpTo5 | UnsetType = UNSET
    sampler_order: tuple[Int64, ...] | UnsetType = UNSET
    stop_sequence: tuple[str, ...] | UnsetType = UNSET
    frmtadsnsp: bool | UnsetType = UNSET
    frmtrmblln: bool | UnsetType = UNSET
    frmtrmspch: bool | UnsetType = UNSET
    frmttriminc: bool | UnsetType = UNSET
    singleline: bool | UnsetType = UNSET
    use_default_badwordsids: bool | UnsetType = UNSET
    hordenode: TextExtension | UnsetType = UNSET


class TextStyleInputParams(TextStyleParams, frozen=True, kw_only=True):
    """A style may say the lengths too, in tokens; they are kept, but not shown (contract 13: stored as sent)."""

    max_length: Annotated[int, Meta(ge=16, le=4096)] | UnsetType = UNSET
    max_context_length: Annotated[int, Meta(ge=80, le=1048576)] | UnsetType = UNSET


class TextParams(TextStyleInputParams, frozen=True, kw_only=True):
    """How to write. Absent fields take the worker's default."""

    n: Count | UnsetType = UNSET


class TextRequest(Request, frozen=True, kw_only=True):
    """POST generate/text/async. models absent or empty means any. An empty prompt is refused by a rule, not here."""

    prompt: str
    params: TextParams | UnsetType = UNSET
    models: tuple[str, ...] = ()
    nsfw: bool = True
    softprompt: Annotated[str, Meta(min_length=1)] | UnsetType = UNSET
    trusted_workers: bool = False
    validated_backends: bool = False
    slow_workers: bool = True
    extra_slow_workers: bool = False
    workers: tuple[str, ...] = ()
    worker_blacklist: bool = False
    extra_source_images: tuple[ExtraSourceImage, ...] = ()
    dry_run: bool = False
    proxied_account: str | UnsetType = UNSET
    disable_batching: bool = False
    allow_downgrade: bool = False
    webhook: str | UnsetType = UNSET
    style: Annotated[str, Meta(min_length=3, max_length=1024)] | UnsetType = UNSET


class TextGeneration(Answer, frozen=True, kw_only=True):
    """One finished text, without the prompt. hordenode: where the request asked for what v2 has no words for."""

    text: str
    seed: int
    gen_metadata: tuple[GenMetadata, ...]
    worker_id: str
    worker_name: str
    model: str
    state: str = "ok"  # ok, censored or csam
    hordenode: TextMade | UnsetType = UNSET


class TextStatus(RequestCheck, frozen=True, kw_only=True):
    """A check with the results so far."""

    generations: tuple[TextGeneration, ...]


class TextPop(Request, frozen=True, kw_only=True):
    """A text worker's offer. Lengths in tokens."""

    name: str
    models: tuple[ModelName, ...] = ()
    priority_usernames: tuple[str, ...] = ()
    nsfw: bool = True
    bridge_agent: Annotated[str, Meta(max_length=1000)] = UNKNOWN_AGENT
    threads: Annotated[int, Meta(ge=1, le=50)] = 1
    amount: Count = 1
    max_length: Int64 = 512
    max_context_length: Int64 = 2048
    softprompts: tuple[str, ...] = ()
    require_upfront_kudos: bool = False
    extra_slow_worker: bool = False


class TextJobPayload(Answer, frozen=True, kw_only=True):
    """What to write, shaped as a KoboldAI generate call. `TextJobPayload()` is that of an answer without job."""

    prompt: str | UnsetType = UNSET
    n: int | UnsetType = UNSET
    max_length: int = 80
    max_context_length: int = 2048
    min_p: float = 0.0
    smoothing_factor: float = 0.0
    dynatemp_range: float = 0.0
    dynatemp_exponent: float = 1.0
    temperature: float | UnsetType = UNSET
    top_p: float | UnsetType = UNSET
    top_k: int | UnsetType = UNSET
    top_a: float | UnsetType = UNSET
    tfs: float | UnsetType = UNSET
    typical: float | UnsetType = UNSET
    rep_pen: float | UnsetType = UNSET
    rep_pen_range: int | UnsetType = UNSET
    rep_pen_slope: float | UnsetType = UNSET
    sampler_order: tuple[int, ...] | UnsetType = UNSET
    stop_sequence: tuple[str, ...] | UnsetType = UNSET
    frmtadsnsp: bool | UnsetType = UNSET
    frmtrmblln: bool | UnsetType = UNSET
    frmtrmspch: bool | UnsetType = UNSET
    frmttriminc: bool | UnsetType = UNSET
    singleline: bool | UnsetType = UNSET
    use_default_badwordsids: bool | UnsetType = UNSET
    hordenode: TextExtension | UnsetType = UNSET


class TextSkipped(Answer, frozen=True, kw_only=True):
    """How many waiting requests a pop passed over, by reason (behaviour.md 6.3). A reason without requests is absent."""

    worker_id: int | UnsetType = UNSET
    performance: int | UnsetType = UNSET
    nsfw: int | UnsetType = UNSET
    blacklist: int | UnsetType = UNSET
    untrusted: int | UnsetType = UNSET
    models: int | UnsetType = UNSET
    bridge_version: int | UnsetType = UNSET
    kudos: int | UnsetType = UNSET
    max_context_length: int | UnsetType = UNSET
    max_length: int | UnsetType = UNSET
    matching_softprompt: int | UnsetType = UNSET


class TextJob(Answer, frozen=True, kw_only=True):
    """The answer to a text pop. `TextJob()` says that there is no job: id, model and ttl are null then. ttl in seconds."""

    payload: TextJobPayload = TextJobPayload()
    id: str | None = None
    ids: tuple[str, ...] = ()
    messages: tuple[WorkerMessage, ...] = ()
    ttl: int | None = None
    extra_source_images: tuple[JobSourceImage, ...] | None = None
    skipped: TextSkipped = TextSkipped()
    softprompt: str | None = None
    model: str | None = None


class TextSubmit(Request, frozen=True, kw_only=True):
    """One result of a job: the completion without the prompt. seed: as in ImageSubmit."""

    nul_replaced: ClassVar[tuple[str, ...]] = ("generation",)

    id: str
    generation: str
    seed: Annotated[int | float | str, rule(whole_number)] = 0
    state: SubmitState = "ok"
    gen_metadata: tuple[TextGenMetadata, ...] = ()
    hordenode: TextMade | UnsetType = UNSET

    def __post_init__(self) -> None:
        force_setattr(self, "seed", to_int64(self.seed))
