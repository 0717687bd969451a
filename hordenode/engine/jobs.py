"""What the engine is asked, what it answers and how it fails: plain picklable values (ARCHITECTURE 3.15).

Every error's text is for the person who asked: it names the thing that is wrong and says what to do.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple


@dataclass(frozen=True, slots=True)
class ImageJob:
    """Draw one picture per seed. Sizes in pixels; a lower `priority` runs first.

    `source_image`, `source_mask`: PNG, JPEG or WebP files; white in the mask, or transparent in the picture without
    one, is painted anew. `source_processing` as the horde calls it; without a source image it says nothing.
    `denoising_strength`: how much of the source goes, 0..1; None takes what suits the processing. `clip_skip`: 1 skips
    no layer. `tiling`: the edges fit each other. `preview_every`: so many steps between previews; 0 for none.
    `censor_nsfw`: replace what the safety model finds.
    """

    id: str
    model: str
    prompt: str
    negative_prompt: str = ""
    seeds: tuple[int, ...] = (0,)
    width: int = 512
    height: int = 512
    steps: int = 30
    cfg_scale: float = 5.0
    sampler: str = "k_euler_a"
    karras: bool = True
    clip_skip: int = 1
    source_image: bytes = b""
    source_mask: bytes = b""
    source_processing: str = "img2img"
    denoising_strength: float | None = None
    hires_fix: bool = False
    hires_fix_denoising_strength: float | None = None
    tiling: bool = False
    preview_every: int = 0
    censor_nsfw: bool = False
    priority: int = 0


@dataclass(frozen=True, slots=True)
class Constraint:
    """What a text must look like: JSON of a `json_schema`, a `regex`, or a Lark `grammar` (as llguidance reads them)."""

    kind: str
    definition: str


@dataclass(frozen=True, slots=True)
class Message:
    """A turn of a conversation. `role`: system, user, assistant or what else the model's template knows."""

    role: str
    content: str


@dataclass(frozen=True, slots=True)
class TextJob:
    """Continue a text. Lengths in tokens; a setting at its default here is off, but for `temperature`.

    `temperature` 0 takes the likeliest token; `rep_pen_range` 0 looks back over everything. `sampler_order` in
    KoboldAI's numbers: 0 top_k, 1 top_a, 2 top_p and min_p, 3 tfs, 4 typical, 5 temperature, 6 penalties.
    `logit_bias`: (token, what is added to its logit). `mirostat_tau`, in bits, takes the place of all filters but the
    temperature. `dry_range` 0 looks back over everything. `user`: whose turn it is, where several wait. `messages`: a
    conversation in place of a prompt. `logprobs`: say how likely each token was, and so many others; None says nothing.
    """

    id: str
    model: str
    prompt: str
    max_length: int = 80
    max_context_length: int = 2048
    seed: int = 0
    temperature: float = 0.7
    dynatemp_range: float = 0.0
    dynatemp_exponent: float = 1.0
    smoothing_factor: float = 0.0
    top_k: int = 0
    top_p: float = 1.0
    top_a: float = 0.0
    min_p: float = 0.0
    tfs: float = 1.0
    typical: float = 1.0
    rep_pen: float = 1.0
    rep_pen_range: int = 0
    rep_pen_slope: float = 0.0
    presence_penalty: float = 0.0
    frequency_penalty: float = 0.0
    logit_bias: tuple[tuple[int, float], ...] = ()
    mirostat_tau: float = 0.0
    mirostat_eta: float = 0.1
    xtc_probability: float = 0.0
    xtc_threshold: float = 0.1
    dry_multiplier: float = 0.0
    dry_base: float = 1.75
    dry_allowed_length: int = 2
    dry_range: int = 0
    dry_breakers: tuple[str, ...] = ("\n", ":", '"', "*")
    sampler_order: tuple[int, ...] = (6, 0, 1, 3, 4, 2, 5)
    stop_sequences: tuple[str, ...] = ()
    frmtadsnsp: bool = False
    frmtrmblln: bool = False
    frmtrmspch: bool = False
    frmttriminc: bool = False
    singleline: bool = False
    use_default_badwordsids: bool = False
    messages: tuple[Message, ...] = ()
    constraint: Constraint | None = None
    logprobs: int | None = None
    user: str = ""
    priority: int = 0


@dataclass(frozen=True, slots=True)
class AlchemyJob:
    """Do one thing with a picture. `form`: what, as the horde calls it; `options`: the form's own, as text.

    `image`: a PNG, JPEG or WebP file.
    """

    id: str
    form: str
    image: bytes
    options: dict[str, str] = field(default_factory=dict)
    priority: int = 0


Job = ImageJob | TextJob | AlchemyJob


@dataclass(frozen=True, slots=True)
class Picture:
    """`rgb`: rows from the top, three bytes per pixel. `nsfw`: what the safety model says; None without one.

    `alpha`: a byte per pixel, 0 = transparent; empty = nothing is.
    """

    width: int
    height: int
    rgb: bytes
    seed: int
    nsfw: bool | None = None
    censored: bool = False
    alpha: bytes = b""


@dataclass(frozen=True, slots=True)
class ImageResult:
    """One picture per seed, in the order of the seeds."""

    id: str
    images: tuple[Picture, ...]


@dataclass(frozen=True, slots=True)
class Likely:
    """A token, its text (of half a character a replacement character) and the logarithm of its probability."""

    token: int
    text: str
    logprob: float


@dataclass(frozen=True, slots=True)
class TokenLikelihood:
    """A token that was written, and the likeliest in its place."""

    chosen: Likely
    top: tuple[Likely, ...]


@dataclass(frozen=True, slots=True)
class TextResult:
    """The continuation without prompt and without the stop sequence.

    `finish_reason`: `stop` (end of text, a stop sequence or the end of what a constraint allows) or `length`.
    `logprobs`: one for each token, where the job asked for them.
    """

    id: str
    text: str
    prompt_tokens: int
    tokens: int
    finish_reason: str
    seed: int
    logprobs: tuple[TokenLikelihood, ...] = ()


@dataclass(frozen=True, slots=True)
class AlchemyResult:
    """What a form answers: a value for JSON, or a picture."""

    id: str
    value: Any = None
    picture: Picture | None = None


Result = ImageResult | TextResult | AlchemyResult


class Progress(NamedTuple):
    """Step `step` of at most `steps` is done; `text`: what a text job wrote since the last report.

    `preview`: what an image job has drawn so far, small. `logprobs`: of the token of this step, where asked for.
    """

    id: str
    step: int
    steps: int
    text: str = ""
    preview: Picture | None = None
    logprobs: TokenLikelihood | None = None


@dataclass(frozen=True, slots=True)
class ModelInfo:
    """A model that can run. `kind`: image, text or alchemy, whose names are the forms.

    `context` in tokens and `parameters` in billions, for text. `sources`: whether an image model can start from a
    picture. `max_batch`: how many of its jobs run side by side. `abroad`: whether other hordes are offered it unasked.
    """

    kind: str
    name: str
    baseline: str = ""
    context: int = 0
    parameters: float | None = None
    sources: bool = True
    max_batch: int = 1
    abroad: bool = True


@dataclass(frozen=True, slots=True)
class ProviderReport:
    """Where generation runs. `refused`: each provider that was wanted and is not used, with the reason."""

    provider: str
    threads: int
    refused: tuple[tuple[str, str], ...] = ()


class EngineError(Exception):
    """A job cannot be done."""


class EngineClosed(EngineError):
    """The engine is not running."""


class JobCancelled(EngineError):
    """The job was told to stop."""


class EngineAway(EngineError):
    """The program that does the work cannot be reached: other jobs would fail now, too."""


class UnknownModel(EngineError):
    """The engine has no model of this name."""


class UnsupportedJob(EngineError):
    """The job asks for something that this engine cannot do."""


class ModelFileError(EngineError):
    """A file of a model is missing, damaged or of a kind that the engine cannot run."""

    def __init__(self, file: Path, trouble: str, remedy: str) -> None:
        super().__init__(f"{file}: {trouble}. {remedy}")
        self.file = file
        self._parts = (file, trouble, remedy)

    def __reduce__(self) -> tuple[type[ModelFileError], tuple[Path, str, str]]:
        return ModelFileError, self._parts
