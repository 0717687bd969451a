"""Image requests, jobs and results."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from msgspec import UNSET, Meta, UnsetType, field
from msgspec.structs import force_setattr

from hordenode.protocol.common import (
    UNKNOWN_AGENT,
    ExtraSourceImage,
    ExtraText,
    GenMetadata,
    ImageGenMetadata,
    JobSourceImage,
    RequestCheck,
    SourceProcessing,
    SubmitState,
    WorkerMessage,
)
from hordenode.protocol.wire import (
    Answer,
    Count,
    FreeObject,
    Int64,
    Name255,
    Request,
    Strength,
    Unit,
    rule,
    storable,
    to_int64,
    unique,
    whole_number,
)

Side = Annotated[int, Meta(ge=64, le=3072, multiple_of=64)]
Denoising = Annotated[float, Meta(ge=0.01, le=1.0)]
ModelName = Annotated[str, Meta(min_length=3, max_length=255)]
ControlType = Literal["canny", "hed", "depth", "normal", "openpose", "seg", "scribble", "fakescribbles", "hough"]
Sampler = Literal[
    "k_lms",
    "k_heun",
    "k_euler",
    "k_euler_a",
    "k_dpm_2",
    "k_dpm_2_a",
    "k_dpm_fast",
    "k_dpm_adaptive",
    "k_dpmpp_2s_a",
    "k_dpmpp_2m",
    "k_dpmpp_sde",
    "dpmsolver",
    "DDIM",
    "lcm",
]
PostProcessor = Literal[
    "RealESRGAN_x4plus",
    "RealESRGAN_x2plus",
    "RealESRGAN_x4plus_anime_6B",
    "NMKD_Siax",
    "4x_AnimeSharp",
    "4xNomos8kSC",
    "4xLSDIRplus",
    "4xNomosWebPhoto_RealPLKSR",
    "4xNomos2_realplksr_dysample",
    "4xNomos2_hq_dat2",
    "2xModernSpanimationV1",
    "GFPGAN",
    "CodeFormers",
    "GFPGANv1.3",
    "RestoreFormer",
    "strip_background",
]


class LoraRef(Request, frozen=True, kw_only=True):
    """A LoRA to apply: its name, or its version id when is_version."""

    name: Name255
    model: Strength = 1.0
    clip: Strength = 1.0
    inject_trigger: Annotated[str, Meta(min_length=1, max_length=30)] | UnsetType = UNSET
    is_version: bool = False


class TextualInversionRef(Request, frozen=True, kw_only=True):
    """A textual inversion to apply."""

    name: Name255
    inject_ti: Literal["prompt", "negprompt"] | UnsetType = UNSET
    strength: Strength = 1.0


class ImageStyleParams(Request, frozen=True, kw_only=True):
    """How to draw, as far as a style can say it."""

    sampler_name: Sampler | UnsetType = UNSET
    cfg_scale: Annotated[float, Meta(ge=0.0, le=100.0)] | UnsetType = UNSET
    denoising_strength: Denoising | UnsetType = UNSET
    hires_fix_denoising_strength: Denoising | UnsetType = UNSET
    height: Side | UnsetType = UNSET
    width: Side | UnsetType = UNSET
    post_processing: Annotated[tuple[PostProcessor, ...], rule(unique)] | UnsetType = UNSET
    karras: bool | UnsetType = UNSET
    tiling: bool | UnsetType = UNSET
    hires_fix: bool | UnsetType = UNSET
    clip_skip: Annotated[int, Meta(ge=1, le=12)] | UnsetType = UNSET
    facefixer_strength: Unit | UnsetType = UNSET
    loras: tuple[LoraRef, ...] | UnsetType = UNSET
    tis: tuple[TextualInversionRef, ...] | UnsetType = UNSET
    special: FreeObject | UnsetType = UNSET
    workflow: Literal["qr_code"] | UnsetType = UNSET
    transparent: bool | UnsetType = UNSET
    steps: Annotated[int, Meta(ge=1, le=500)] | UnsetType = UNSET

    def __post_init__(self) -> None:
        if self.post_processing:
            unique(self.post_processing)
        if self.special:
            storable(self.special)


class ImageParams(ImageStyleParams, frozen=True, kw_only=True):
    """How to draw. Absent fields take the defaults (behaviour.md 3.2)."""

    seed: str | UnsetType = UNSET
    seed_variation: Annotated[int, Meta(ge=1, le=1000)] | UnsetType = UNSET
    extra_texts: tuple[ExtraText, ...] | UnsetType = UNSET
    control_type: ControlType | UnsetType = UNSET
    image_is_control: bool | UnsetType = UNSET
    return_control_map: bool | UnsetType = UNSET
    n: Count | UnsetType = UNSET


class ImageRequest(Request, frozen=True, kw_only=True):
    """POST generate/async. models absent means `stable_diffusion`, empty means any."""

    prompt: Annotated[str, Meta(min_length=1)]
    params: ImageParams | UnsetType = UNSET
    models: tuple[str, ...] | UnsetType = UNSET
    nsfw: bool = True
    censor_nsfw: bool = True
    trusted_workers: bool = False
    validated_backends: bool = False
    slow_workers: bool = True
    extra_slow_workers: bool = False
    workers: tuple[str, ...] = ()
    worker_blacklist: bool = False
    source_image: str | UnsetType = UNSET
    source_processing: SourceProcessing | UnsetType = UNSET
    source_mask: str | UnsetType = UNSET
    extra_source_images: tuple[ExtraSourceImage, ...] = ()
    r2: bool = True
    shared: bool = False
    replacement_filter: bool = True
    dry_run: bool = False
    proxied_account: str | UnsetType = UNSET
    disable_batching: bool = False
    allow_downgrade: bool = False
    webhook: Annotated[str, Meta(min_length=10, max_length=1024)] | UnsetType = UNSET
    style: Annotated[str, Meta(min_length=3, max_length=1024)] | UnsetType = UNSET


class ImageGeneration(Answer, frozen=True, kw_only=True):
    """One finished image. img: a URL, or base64 WebP without prefix."""

    img: str
    seed: str
    id: str
    censored: bool
    gen_metadata: tuple[GenMetadata, ...]
    worker_id: str
    worker_name: str
    model: str
    state: str = "ok"


class ImageStatus(RequestCheck, frozen=True, kw_only=True):
    """A check with the results so far."""

    generations: tuple[ImageGeneration, ...]
    shared: bool = False


class ImagePop(Request, frozen=True, kw_only=True):
    """An image worker's offer. max_pixels: width times height that it can draw."""

    name: str
    models: tuple[ModelName, ...] = ()
    priority_usernames: tuple[str, ...] = ()
    nsfw: bool = True
    blacklist: tuple[str, ...] = ()
    bridge_agent: Annotated[str, Meta(max_length=1000)] = UNKNOWN_AGENT
    threads: Annotated[int, Meta(ge=1, le=50)] = 1
    amount: Count = 1
    max_pixels: Int64 = 262144
    require_upfront_kudos: bool = False
    allow_img2img: bool = True
    allow_painting: bool = True
    allow_unsafe_ipaddr: bool = True
    allow_post_processing: bool = True
    allow_controlnet: bool = False
    allow_sdxl_controlnet: bool = False
    allow_lora: bool = False
    extra_slow_worker: bool = False
    limit_max_steps: bool = False


class ImageJobPayload(Answer, frozen=True, kw_only=True):
    """What to draw. The fields with a default are always sent, so `ImageJobPayload()` is that of an answer without job."""

    prompt: str | UnsetType = UNSET
    ddim_steps: int = 30
    n_iter: int = 1
    use_nsfw_censor: bool | UnsetType = UNSET
    seed: str | UnsetType = UNSET
    sampler_name: str = "k_euler_a"
    cfg_scale: float = 5.0
    height: int = 512
    width: int = 512
    karras: bool = True
    tiling: bool = False
    hires_fix: bool = False
    transparent: bool = False
    image_is_control: bool = False
    return_control_map: bool = False
    control_type: str | UnsetType = UNSET
    seed_variation: int | UnsetType = UNSET
    denoising_strength: float | UnsetType = UNSET
    hires_fix_denoising_strength: float | UnsetType = UNSET
    post_processing: tuple[str, ...] | UnsetType = UNSET
    clip_skip: int | UnsetType = UNSET
    facefixer_strength: float | UnsetType = UNSET
    loras: tuple[LoraRef, ...] | UnsetType = UNSET
    tis: tuple[TextualInversionRef, ...] | UnsetType = UNSET
    special: FreeObject | UnsetType = UNSET
    extra_texts: tuple[ExtraText, ...] | UnsetType = UNSET
    workflow: str | UnsetType = UNSET


class ImageSkipped(Answer, frozen=True, kw_only=True):
    """How many waiting requests a pop passed over, by reason (behaviour.md 6.2). A reason without requests is absent."""

    worker_id: int | UnsetType = UNSET
    performance: int | UnsetType = UNSET
    nsfw: int | UnsetType = UNSET
    blacklist: int | UnsetType = UNSET
    untrusted: int | UnsetType = UNSET
    models: int | UnsetType = UNSET
    bridge_version: int | UnsetType = UNSET
    kudos: int | UnsetType = UNSET
    max_pixels: int | UnsetType = UNSET
    step_count: int | UnsetType = UNSET
    unsafe_ip: int | UnsetType = UNSET
    img2img: int | UnsetType = UNSET
    painting: int | UnsetType = UNSET
    post_processing: int | UnsetType = field(name="post-processing", default=UNSET)
    lora: int | UnsetType = UNSET
    controlnet: int | UnsetType = UNSET


class ImageJob(Answer, frozen=True, kw_only=True):
    """The answer to an image pop. `ImageJob()` says that there is no job: id, model, ttl and uploads are null then.

    ttl in seconds; r2_uploads: one PUT URL per id, in the same order.
    """

    payload: ImageJobPayload = ImageJobPayload()
    id: str | None = None
    ids: tuple[str, ...] = ()
    messages: tuple[WorkerMessage, ...] = ()
    ttl: int | None = None
    skipped: ImageSkipped = ImageSkipped()
    model: str | None = None
    source_image: str | None = None
    source_processing: str = "img2img"
    source_mask: str | None = None
    extra_source_images: tuple[JobSourceImage, ...] | None = None
    r2_upload: str | None = None
    r2_uploads: tuple[str, ...] | None = None


class ImageSubmit(Request, frozen=True, kw_only=True):
    """One result of a job. generation: `R2` after an upload, else base64 WebP.

    seed is an int once constructed; the wire also carries it as digits in a string or with a fraction.
    """

    nul_replaced: ClassVar[tuple[str, ...]] = ("generation",)

    id: str
    generation: str
    seed: Annotated[int | float | str, rule(whole_number)]
    state: SubmitState = "ok"
    censored: bool = False
    gen_metadata: tuple[ImageGenMetadata, ...] = ()

    def __post_init__(self) -> None:
        force_setattr(self, "seed", to_int64(self.seed))


class Rating(Request, frozen=True, kw_only=True):
    """How good one picture of a request is."""

    id: Annotated[str, Meta(min_length=36, max_length=36)]
    rating: Annotated[int, Meta(ge=1, le=10)]
    artifacts: Annotated[int, Meta(ge=0, le=5)] | UnsetType = UNSET


class RatingsRequest(Request, frozen=True, kw_only=True):
    """POST generate/rate/{id}."""

    best: Annotated[str, Meta(min_length=36, max_length=36)] | UnsetType = UNSET
    ratings: tuple[Rating, ...] = ()
