"""Randomness from a seed: the same on every machine, for each picture and each text its own."""

from __future__ import annotations

import numpy as np


def seeded(seed: int) -> np.random.Generator:
    """A generator that depends on nothing but the seed."""
    return np.random.Generator(np.random.Philox(seed % 2**64))
