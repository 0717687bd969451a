"""Identifiers and randomness, so that everything else can be told what to draw."""

from __future__ import annotations

import base64
import os
import random
import secrets
import time
import uuid
from typing import Protocol

KEY_BYTES = 16
SEED_BITS = 32
CODE_BYTES = 10
RANDOM_BYTES = 10  # of which an id takes 74 bits
_VARIANT = {f"{digit:x}": "89ab"[digit & 3] for digit in range(16)}  # a hexadecimal digit with the variant's two bits


class Ids(Protocol):
    def uuid(self) -> str:
        """36 characters, lower case."""
        ...

    def api_key(self) -> str:
        """22 URL-safe characters (contract 2.1)."""
        ...

    def seed(self) -> int:
        """0 <= seed < 2^32."""
        ...

    def code_bits(self) -> int:
        """80 bits for a code that people type (domain/codes.py)."""
        ...


class RandomIds:
    """From the operating system's randomness."""

    def uuid(self) -> str:
        """Version 7 (RFC 9562): the time in milliseconds, then 74 random bits, which nobody can guess.

        New rows then stand side by side in every index: a commit writes a few pages instead of one for each row.
        """
        at = f"{time.time_ns() // 1_000_000:012x}"
        drawn = os.urandom(RANDOM_BYTES).hex()
        # UUID() takes ten times as long.
        return f"{at[:8]}-{at[8:]}-7{drawn[:3]}-{_VARIANT[drawn[3]]}{drawn[4:7]}-{drawn[7:19]}"

    def api_key(self) -> str:
        return _key(secrets.token_bytes(KEY_BYTES))

    def seed(self) -> int:
        return secrets.randbits(SEED_BITS)

    def code_bits(self) -> int:
        return int.from_bytes(secrets.token_bytes(CODE_BYTES), "big")


class SeededIds:
    """The same sequence for the same seed."""

    def __init__(self, seed: int = 0) -> None:
        self._random = random.Random(seed)

    def uuid(self) -> str:
        return str(uuid.UUID(bytes=self._random.randbytes(16), version=4))

    def api_key(self) -> str:
        return _key(self._random.randbytes(KEY_BYTES))

    def seed(self) -> int:
        return self._random.getrandbits(SEED_BITS)

    def code_bits(self) -> int:
        return int.from_bytes(self._random.randbytes(CODE_BYTES), "big")


def _key(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
