"""What a request asks for, once defaults are filled in (contract 3.2): the one thing between wire and rules.

Specs are built in one place (coordinator/intake.py) from request + style + effective defaults, stored with the request
as JSON, and read by matching, pricing and the building of jobs.
"""

from __future__ import annotations

from typing import Any

import msgspec

DOUBLE_STEP_SAMPLERS = frozenset({"k_heun", "k_dpm_2", "k_dpm_2_a", "k_dpmpp_2s_a", "k_dpmpp_sde"})
ADAPTIVE_STEPS = 40


class Audience(msgspec.Struct, frozen=True):
    """Who may serve a request, alike for every kind (contract 3.2, 6)."""

    models: tuple[str, ...] = ()
    workers: tuple[str, ...] = ()
    worker_blacklist: bool = False
    trusted_workers: bool = False
    validated_backends: bool = False
    slow_workers: bool = True
    extra_slow_workers: bool = False
    nsfw: bool = False


class Lora(msgspec.Struct, frozen=True):
    """A LoRA by CivitAI id or name, or by version id (worker_protocol.md 3)."""

    name: str
    model: float = 1.0
    clip: float = 1.0
    inject_trigger: str | None = None
    is_version: bool = False


class TextualInversion(msgspec.Struct, frozen=True):
    name: str
    inject_ti: str | None = None
    strength: float = 1.0


class ExtraText(msgspec.Struct, frozen=True):
    """A text for a workflow, and what it is for; the contract lets clients leave out either."""

    text: str | None = None
    reference: str | None = None


class SourceImage(msgspec.Struct, frozen=True):
    """A picture to start from: a client's URL, or the key of a stored blob."""

    url: str | None = None
    blob: str | None = None
    strength: float = 1.0


class WebhookTarget(msgspec.Struct, frozen=True):
    """Where each result is told to (contract 23), and by which address the requester reached this horde, for links."""

    url: str
    base_url: str


class ImageSpec(msgspec.Struct, frozen=True):
    """An image request (contract 3.2, 4.1). Sizes in pixels; `seed` as the client wrote it."""

    prompt: str
    audience: Audience
    n: int = 1
    steps: int = 30
    width: int = 512
    height: int = 512
    sampler_name: str = "k_euler_a"
    cfg_scale: float = 5.0
    karras: bool = True
    seed: str | None = None
    seed_variation: int | None = None
    clip_skip: int | None = None
    denoising_strength: float | None = None
    hires_fix: bool = False
    hires_fix_denoising_strength: float | None = None
    control_type: str | None = None
    image_is_control: bool = False
    return_control_map: bool = False
    facefixer_strength: float | None = None
    post_processing: tuple[str, ...] = ()
    loras: tuple[Lora, ...] = ()
    tis: tuple[TextualInversion, ...] = ()
    tiling: bool = False
    transparent: bool = False
    workflow: str | None = None
    extra_texts: tuple[ExtraText, ...] = ()
    special: dict[str, Any] | None = None
    source_image: SourceImage | None = None
    source_mask: SourceImage | None = None
    extra_source_images: tuple[SourceImage, ...] = ()
    source_processing: str = "img2img"
    censor_nsfw: bool = True
    r2: bool = True
    disable_batching: bool = False
    webhook: WebhookTarget | None = None

    @property
    def accurate_steps(self) -> int:
        """Model evaluations that the sampler really makes (contract 3.5)."""
        if self.sampler_name == "k_dpm_adaptive":
            return ADAPTIVE_STEPS
        return self.steps * 2 if self.sampler_name in DOUBLE_STEP_SAMPLERS else self.steps

    @property
    def things(self) -> int:
        """Pixelsteps of one job."""
        return self.width * self.height * self.accurate_steps


class TextSpec(msgspec.Struct, frozen=True):
    """A text request (contract 3.2, 4.2). Lengths in tokens; `sampling` holds the parameters handed on unchanged.

    `extension`: what was given of the `hordenode` object (protocol/extension.py).
    """

    prompt: str
    audience: Audience
    n: int = 1
    max_length: int = 80
    max_context_length: int = 2048
    softprompt: str | None = None
    sampling: dict[str, Any] = msgspec.field(default_factory=dict)
    extension: dict[str, Any] = msgspec.field(default_factory=dict)
    webhook: WebhookTarget | None = None

    @property
    def things(self) -> int:
        """Tokens of one job."""
        return self.max_length


class AlchemySpec(msgspec.Struct, frozen=True):
    """One form of an alchemy request (contract 12): a request of its own for queue, jobs and kudos.

    `tiles`: size of the source in tiles of 512 pixels. `payload`: options of the form, as text.
    """

    form: str
    source: SourceImage
    tiles: int
    audience: Audience
    payload: dict[str, str] = msgspec.field(default_factory=dict)
    webhook: WebhookTarget | None = None

    @property
    def n(self) -> int:
        return 1

    @property
    def things(self) -> int:
        """Forms of one job."""
        return 1

    @property
    def prompt(self) -> str:
        """Alchemists read no words."""
        return ""


GenerationSpec = ImageSpec | TextSpec
Spec = GenerationSpec | AlchemySpec
