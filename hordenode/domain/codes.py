"""Codes that people carry from one machine to another: 80 random bits in Crockford's base 32, without I, L, O and U."""

from __future__ import annotations

ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
CODE_BITS = 80
_BITS_EACH, _GROUP = 5, 4
_READ = str.maketrans({"O": "0", "I": "1", "L": "1", "-": "", " ": ""})


def written(bits: int) -> str:
    """As people are shown it: `7KQ4-M2XD-9PTA-HBV6`. 0 <= bits < 2**CODE_BITS."""
    shifts = range(CODE_BITS - _BITS_EACH, -1, -_BITS_EACH)
    letters = "".join(ALPHABET[bits >> shift & 31] for shift in shifts)
    return "-".join(letters[at : at + _GROUP] for at in range(0, len(letters), _GROUP))


def plain(code: str) -> str:
    """One form for however people typed it: small letters, with or without dashes, O for 0, I and L for 1."""
    return code.strip().upper().translate(_READ)
