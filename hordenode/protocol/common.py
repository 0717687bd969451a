"""Types that image and text share."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import UNSET, Meta, UnsetType

from hordenode.protocol.wire import Answer, Request

ANONYMOUS_KEY = "0000000000"
UNKNOWN_AGENT = "unknown:0:unknown"

SourceProcessing = Literal["txt2img", "img2img", "inpainting", "outpainting", "remix"]
SubmitState = Literal["ok", "censored", "csam", "faulted"]
WarningCode = Literal[
    "NoAvailableWorker",
    "ClipSkipMismatch",
    "StepsTooFew",
    "StepsTooMany",
    "CfgScaleMismatch",
    "CfgScaleTooSmall",
    "CfgScaleTooLarge",
    "SamplerMismatch",
    "SchedulerMismatch",
]
MetadataType = Literal[
    "lora",
    "ti",
    "censorship",
    "source_image",
    "source_mask",
    "extra_source_images",
    "batch_index",
    "information",
    "aesthetic_score",
]
MetadataValue = Literal["download_failed", "parse_failed", "baseline_mismatch", "csam", "nsfw", "see_ref"]


class ExtraSourceImage(Request, frozen=True, kw_only=True):
    """A further picture of a remix: base64 or URL, and how much it counts."""

    image: Annotated[str, Meta(min_length=1)] | UnsetType = UNSET
    strength: float = 1.0


class ExtraText(Request, frozen=True, kw_only=True):
    """A text for a workflow, and what it is for."""

    text: Annotated[str, Meta(min_length=1)] | UnsetType = UNSET
    reference: Annotated[str, Meta(min_length=3)] | UnsetType = UNSET


class GenMetadata(Request, frozen=True, kw_only=True):
    """A remark on a generation (behaviour.md 8.4), as status shows it: open to values that we do not know."""

    type: str
    value: str
    ref: Annotated[str, Meta(max_length=255)] | UnsetType = UNSET


class ImageGenMetadata(GenMetadata, frozen=True, kw_only=True):
    """A remark that an image worker may submit."""

    type: MetadataType
    value: MetadataValue


class TextGenMetadata(GenMetadata, frozen=True, kw_only=True):
    """A remark that a text worker may submit."""

    type: Literal["censorship"]
    value: Literal["csam"]


class Warning_(Answer, frozen=True, kw_only=True):
    """A request was accepted although something about it looks wrong."""

    code: str
    message: str


class RequestAccepted(Answer, frozen=True, kw_only=True):
    """202: the request waits. `message` only when nothing can serve it now; never null (clients.md 1)."""

    id: str
    kudos: float
    message: str | UnsetType = UNSET
    warnings: tuple[Warning_, ...] | UnsetType = UNSET


class DryRunAnswer(Answer, frozen=True, kw_only=True):
    """200 to a dry run: the price, and nothing was stored."""

    kudos: float


class RequestCheck(Answer, frozen=True, kw_only=True):
    """Where a request stands (behaviour.md 9). wait_time in seconds."""

    finished: int
    processing: int
    restarted: int
    waiting: int
    done: bool
    faulted: bool
    wait_time: int
    queue_position: int
    kudos: float
    is_possible: bool


class WaitQuery(Request, frozen=True, kw_only=True):
    """Query of a long poll: answer when there is something new, after at most so many seconds (extension of v2)."""

    wait: Annotated[float, Meta(ge=0.0)] = 0.0


class PopQuery(WaitQuery, frozen=True, kw_only=True):
    """Of a pop that may wait: a name for it, by which its worker can have it answered early (DELETE …/pops/{name})."""

    pop: Annotated[str, Meta(max_length=64)] = ""


class SubmitAnswer(Answer, frozen=True, kw_only=True):
    """What a submitted job earned, in kudos."""

    reward: float


class WorkerMessage(Answer, frozen=True, kw_only=True):
    """A message to a worker's owner, handed out with a pop. expiry: RFC 822."""

    id: str
    message: str
    origin: str | UnsetType = UNSET
    expiry: str


class JobSourceImage(Answer, frozen=True, kw_only=True):
    """An extra source image as a worker gets it."""

    image: str
    strength: float


class SimpleAnswer(Answer, frozen=True, kw_only=True):
    """It is done."""

    message: Literal["OK"] = "OK"
