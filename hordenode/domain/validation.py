"""Cross-field rules of requests in contract order; the first that is broken answers (contract 3.1, 4).

Each rule is a name in the rc table and a question; the tables below are the whole list.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from hordenode.domain.baselines import CASCADE, FLUX, QWEN, SD1, SD2, SD2_512, SDXL, Z_IMAGE, Baselines
from hordenode.domain.entities import User
from hordenode.domain.forms import FORMS_PER_CONCURRENCY, POST_PROCESSORS
from hordenode.domain.kudos import UPSCALERS
from hordenode.domain.names import SPECIAL_MODEL
from hordenode.domain.spec import Audience, ImageSpec, TextSpec
from hordenode.protocol.errors import HordeError

MAX_WORDS = 7500
MAX_LORAS = 5
MAX_TIS = 20
MAX_STOP_SEQUENCES = 128
MAX_STOP_CHARACTERS = 2000
SAMPLER_ORDER_VALUES = 7
MAX_EXTRA_SOURCE_IMAGES = 5
_HEAVY_FAMILIES = {SDXL, CASCADE, FLUX, QWEN, Z_IMAGE}


@dataclass(frozen=True, slots=True)
class ImageCase:
    """What the image rules look at: the request, who sends it, and the families of its models."""

    spec: ImageSpec
    user: User
    families: frozenset[str]

    @property
    def models(self) -> tuple[str, ...]:
        return self.spec.audience.models

    @property
    def special(self) -> tuple[str, ...]:
        return tuple(model for model in self.models if SPECIAL_MODEL in model)


@dataclass(frozen=True, slots=True)
class Rule:
    """A request that `broken` is true of is refused with `rc`; `details` fill its message beside the common ones."""

    rc: str
    broken: Callable[[ImageCase], bool]
    details: Callable[[ImageCase], dict[str, Any]] = lambda case: {}


def _because(reason: str) -> Callable[[ImageCase], dict[str, Any]]:
    return lambda case: {"reason": reason}


def _foreign_special(case: ImageCase) -> bool:
    return any(model.partition("::")[2] != case.user.alias for model in case.special)


def _unversioned(case: ImageCase) -> str:
    return next((x.name for x in case.spec.loras if x.is_version and not x.name.isdecimal()), "")


def _missing_extra_texts(case: ImageCase) -> bool:
    spec = case.spec
    return spec.workflow == "qr_code" and not any(text.reference == "qr_code" for text in spec.extra_texts)


DRAWING_RULES: Sequence[Rule] = (
    Rule("HiResMismatch", lambda c: c.spec.hires_fix and bool(c.families & {FLUX, QWEN, Z_IMAGE})),
    Rule("TooManyLoras", lambda c: len(c.spec.loras) > MAX_LORAS, lambda c: {"count": len(c.spec.loras)}),
    Rule("BadLoraVersion", lambda c: bool(_unversioned(c)), lambda c: {"name": _unversioned(c)}),
    Rule("TooManyTIs", lambda c: len(c.spec.tis) > MAX_TIS, lambda c: {"count": len(c.spec.tis)}),
    Rule("InvalidTransparencyModel", lambda c: c.spec.transparent and not c.families <= {SDXL, SD1}),
    Rule("ControlNetMismatch.", lambda c: c.spec.workflow == "qr_code" and not c.families <= {SDXL, SD1}),
    Rule("InvalidPromptSize", lambda c: len(c.spec.prompt.split()) > MAX_WORDS),
    Rule("UnexpectedModelName", lambda c: any(model in POST_PROCESSORS for model in c.models)),
    Rule("TooManyUpscalers", lambda c: sum(name in UPSCALERS for name in c.spec.post_processing) > 1),
    Rule("BadCFGDecimals", lambda c: round(c.spec.cfg_scale, 2) != c.spec.cfg_scale),
)  # fmt: skip
SPECIAL_RULES: Sequence[Rule] = (
    Rule("Forbidden", lambda c: bool(c.special) and not c.user.special, _because("Only users with the special role may use special models.")),
    Rule("SpecialMissingUsername", lambda c: any("::" not in model for model in c.special)),
    Rule("Forbidden", _foreign_special, _because("A special model can only be used by the user in its name.")),
    Rule("SpecialMissingPayload", lambda c: bool(c.special) and c.spec.special is None),
    Rule("BadRequest", lambda c: c.spec.special is not None and not c.user.special, _because("Only users with the special role may send params.special.")),
)  # fmt: skip
PICTURE_RULES: Sequence[Rule] = (
    Rule("SourceMaskUnnecessary", lambda c: c.spec.source_mask is not None and c.spec.source_image is None),
    Rule("ControlNetUnsupported", lambda c: c.spec.control_type in ("normal", "mlsd", "hough") and bool(c.families & {SD2, SD2_512})),
    Rule("ControlNetUnsupported", lambda c: c.spec.control_type is not None and "pix2pix" in c.models),
    Rule("ControlNetSourceMissing", lambda c: c.spec.control_type is not None and c.spec.source_image is None),
    Rule("ControlNetInpaintingMismatch", lambda c: c.spec.control_type is not None and c.spec.source_processing == "inpainting"),
    Rule("ControlNetMismatch", lambda c: c.spec.control_type is not None and bool(c.families & _HEAVY_FAMILIES)),
    Rule("InvalidTransparencyImg2Img", lambda c: c.spec.transparent and bool(c.spec.extra_source_images)),
    Rule("InvalidTransparencyCN", lambda c: c.spec.transparent and c.spec.control_type is not None),
    Rule("InvalidRemix", lambda c: c.spec.source_processing == "remix" and not c.families <= {CASCADE}),
    Rule("InvalidExtraSourceImages.", lambda c: bool(c.spec.extra_source_images) and c.spec.source_processing != "remix"),
    Rule("InvalidExtraTexts.", lambda c: bool(c.spec.extra_texts) and c.spec.workflow != "qr_code"),
    Rule("MissingExtraTexts.", _missing_extra_texts),
    Rule("ControlNetInvalidPayload", lambda c: c.spec.image_is_control and c.spec.return_control_map),
    Rule(
        "SourceImageRequiredForModel",
        lambda c: c.spec.source_image is None and bool({"Stable Diffusion 2 Depth", "pix2pix"} & set(c.models)),
    ),
    Rule("UnexpectedModelName", lambda c: c.spec.source_image is None and any("controlnet" in m.lower() for m in c.models)),
)  # fmt: skip
IMAGE_RULES = (*DRAWING_RULES, *SPECIAL_RULES, *PICTURE_RULES)
STYLE_RULES = (*DRAWING_RULES, *SPECIAL_RULES)  # a style is drawn without knowing the pictures that will come with it


def check_image(spec: ImageSpec, user: User, baselines: Baselines, rules: Sequence[Rule] = IMAGE_RULES) -> None:
    """Raises HordeError with the first broken rule of contract 4.1."""
    case = ImageCase(spec, user, frozenset(baselines.of(model) for model in spec.audience.models))
    for rule in rules:
        if rule.broken(case):
            common: dict[str, Any] = {
                "model": ", ".join(spec.audience.models) or "any",
                "control_type": spec.control_type,
                "words": len(spec.prompt.split()),
            }
            raise HordeError(rule.rc, **(common | rule.details(case)))


def check_special_models(models: tuple[str, ...], user: User) -> None:
    """What a text style is held to beyond check_text (contract 13): its special models are the user's own."""
    check_image(ImageSpec("", Audience(models)), user, Baselines(), SPECIAL_RULES)


def check_text(spec: TextSpec) -> None:
    """Raises HordeError with the first broken rule of contract 4.2."""
    if spec.max_context_length < spec.max_length:
        raise HordeError("TokenOverflow", max_length=spec.max_length, max_context_length=spec.max_context_length)
    order = spec.sampling.get("sampler_order")
    if order and len(set(order)) < SAMPLER_ORDER_VALUES:
        raise HordeError("MissingFullSamplerOrder")
    stops = set(spec.sampling.get("stop_sequence", ()))
    if len(stops) > MAX_STOP_SEQUENCES:
        raise HordeError("TooManyStopSequences")
    if sum(map(len, stops)) > MAX_STOP_CHARACTERS:
        raise HordeError("ExcessiveStopSequence")


def check_account(user: User, *, proxied: bool, extra_images: int) -> None:
    """Contract 3.1, checks 8 to 10: what the account may ask at all."""
    if proxied and not user.service:
        raise HordeError("OnlyServiceAccountProxy")
    if user.deleted:
        raise HordeError("DeletedUser", status=403)
    if extra_images > MAX_EXTRA_SOURCE_IMAGES:
        raise HordeError("TooManyExtraSourceImages.")
    if extra_images > 1 and not user.trusted:
        raise HordeError("MoreThanMinExtraSourceImage.")


def check_batching(user: User, n: int, disable_batching: bool) -> None:
    """Contract 3.1, check 13."""
    if n > 1 and disable_batching and not user.trusted:
        raise HordeError("RequiresTrust")


def check_concurrency(user: User, waiting: int, n: int) -> None:
    """Contract 3.1: jobs still waiting plus the new ones may not exceed the user's concurrency."""
    if waiting + n > user.concurrency:
        raise HordeError("TooManyPrompts", waiting=waiting, n=n, limit=user.concurrency)


def check_forms(user: User, open_forms: int, n: int) -> None:
    """Contract 12: forms that wait or are worked on plus the new ones, against ten times the user's concurrency."""
    limit = FORMS_PER_CONCURRENCY * user.concurrency
    if open_forms + n > limit:
        raise HordeError("TooManyPrompts", waiting=open_forms, n=n, limit=limit)
