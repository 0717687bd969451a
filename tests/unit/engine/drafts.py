"""Texts in the making, for tests of how their next token is chosen."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from hordenode.engine.jobs import TextJob
from hordenode.engine.seeds import seeded
from hordenode.engine.text.draft import Draft

SIZE = 40  # of a small vocabulary
JOB = TextJob("job", "model", "prompt", temperature=1.0)


def draft(seed: int, **settings: Any) -> Draft:
    tokens = [1, 2, 3, seed % SIZE, 5]
    return Draft(replace(JOB, seed=seed, **settings), tokens, 2, seeded(seed))


EVERYTHING: list[dict[str, Any]] = [
    {},
    {"temperature": 0.0},
    {"top_k": 5, "top_p": 0.9},
    {"top_a": 0.2, "tfs": 0.9, "rep_pen": 1.3, "sampler_order": (5, 4, 3, 2, 1, 0, 6)},
    {"typical": 0.8, "min_p": 0.05, "presence_penalty": 0.3},
    {"mirostat_tau": 3.0},
    {"xtc_probability": 0.5, "dry_multiplier": 0.8, "dry_allowed_length": 0},
    {"dynatemp_range": 0.5, "smoothing_factor": 0.2, "logit_bias": ((4, 3.0),)},
]
