"""How an amount of kudos came about, as a line of arithmetic for the user's ledger page (contract 10).

    512x512, 30 steps: 3.73 * 2 (stable_diffusion_xl)

What stands in parentheses says what the number before it is for; without it the line can be computed again.
"""

from __future__ import annotations

from hordenode.domain import kudos
from hordenode.domain.forms import POST_PROCESSORS, TILE_PRICE, form_price
from hordenode.domain.spec import AlchemySpec, ImageSpec, Spec, TextSpec


def activation(spec: Spec, *, styled: bool = False) -> str:
    """Of kudos.activation_charge."""
    parts = ["1 (tax)"]
    if isinstance(spec, ImageSpec) and spec.extra_source_images:
        parts.append(f"5 * {len(spec.extra_source_images)} (extra source images)")
    if styled:
        parts.append("2 (style)")
    return " + ".join(parts)


def image_reward(spec: ImageSpec, baseline: str) -> str:
    """Of kudos.image_reward."""
    factor = kudos.baseline_factor(baseline, spec)
    extra = f" * {factor} ({baseline})" if factor != 1 else ""
    return f"{spec.width}x{spec.height}, {spec.steps} steps: {number(kudos.image_price(spec))}{extra}"


def image_charge(spec: ImageSpec, reward: int, *, censored: bool = False) -> str:
    """Of kudos.image_charge."""
    line = "0 (censored)" if censored else f"{number(reward)} (job)"
    if spec.source_image is not None:
        line += " * 1.3 (source image)"
    upscalers = sum(name in kudos.UPSCALERS for name in spec.post_processing)
    line += " * 1.05 (upscaler)" * upscalers + " + 1 (tax)"
    factors = ""
    if not spec.audience.slow_workers:
        factors += " * 1.2 (no slow workers)"
    if spec.audience.worker_blacklist:
        factors += " * 1.1 (worker blacklist)"
    return f"({line}){factors}" if factors else line


def text_reward(spec: TextSpec, result: str, size: float | None, *, owner_trusted: bool, validated: bool) -> str:
    """Of kudos.text_reward."""
    prompt = kudos.counted_tokens(spec.prompt, spec.max_length)
    tokens = kudos.counted_tokens(result, spec.max_length)
    line = f"{kudos.context_factor(prompt):.4f} (context)"
    if size is None:
        return f"{tokens} tokens, unknown model: " + (f"{tokens} * 0.027 * {line}" if owner_trusted else line)
    factor = "" if validated else " * 0.3 (backend not validated)"
    return (
        f"{tokens} tokens, {size:g}B model: {tokens} * {kudos.size_bonus(size):.4f} * {size:g} / 125 * {line}{factor}"
    )


def text_charge(reward: int, *, censored: bool = False) -> str:
    """Of kudos.text_charge."""
    return "0 (censored) + 1 (tax)" if censored else f"{number(reward)} (job) + 1 (tax)"


def form_reward(spec: AlchemySpec) -> str:
    """Of forms.form_price."""
    if spec.form in POST_PROCESSORS:
        return f"{spec.form}: {TILE_PRICE} * {spec.tiles} (tiles)"
    return f"{spec.form}: {number(form_price(spec.form, spec.tiles))}"


def form_charge(spec: AlchemySpec, reward: int) -> str:
    """Of forms.form_charge."""
    return f"{number(reward)} (form) + 1 (tax)" + (" + 1 (slow workers)" if spec.audience.slow_workers else "")


def image_uptime(models: int, *, lora: bool) -> str:
    """Of kudos.image_uptime."""
    return f"ten minutes: 50 + 2 * {models} (models)" + (" + 30 (LoRA)" if lora else "")


def text_uptime(max_context: int, size: float | None, *, validated: bool) -> str:
    """Of kudos.text_uptime."""
    line = f"ten minutes: (25 + 15 * {min(max_context, kudos.MOST_UPTIME_CONTEXT)} / 1024 (context))"
    if size is None:
        return f"{line} * 0.5 (unknown model)"
    factor = "" if validated else " * 0.3 (backend not validated)"
    return f"{line} * {max(0.25, size / 7):.4f} (size of the model){factor}"


def number(amount: int) -> str:
    """Thousandths of a kudos as short as they can be written."""
    return f"{amount / 1000:.3f}".rstrip("0").rstrip(".")
