"""Seeds of image jobs (contract 7)."""

from __future__ import annotations

SEED_LIMIT = 2**32
MAX_DIGITS = 4000  # Python refuses to convert longer numbers; they fold like any other text


def fold(value: int) -> int:
    """Absolute value, shifted right by 32 bits until it is below 2^32."""
    value = abs(value)
    while value >= SEED_LIMIT:
        value >>= 32
    return value


def parse_seed(text: str | None) -> int | None:
    """Digits are the number, other text its UTF-8 bytes as a little-endian integer, empty means none."""
    if not text:
        return None
    if text.isdecimal() and text.isascii() and len(text) <= MAX_DIGITS:
        return fold(int(text))
    return fold(int.from_bytes(text.encode(), "little"))


def job_seed(text: str | None, variation: int | None, remaining: int, fresh: int) -> int:
    """The seed of the next job. `remaining` = jobs not yet handed out, `fresh` = a random 32-bit number."""
    seed = parse_seed(text)
    if seed is None:
        return fold(fresh)
    return fold(seed + variation * remaining) if variation else seed
