"""What a job asks for beyond the usual, and whether a dialect has words for all of it."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import fields
from typing import Any

from hordenode.engine.jobs import TextJob, UnsupportedJob

# Not settings of the sampling: each dialect sees to them in its own way.
PLAIN = {"id", "model", "prompt", "max_length", "max_context_length", "seed", "user", "priority", "stop_sequences"}
OURS = {"frmtadsnsp", "frmtrmblln", "frmtrmspch", "frmttriminc", "singleline"}  # done with the finished text
# Settings that only refine another: without that one they say nothing.
REFINES = {
    "rep_pen_range": "rep_pen",
    "rep_pen_slope": "rep_pen",
    "dynatemp_exponent": "dynatemp_range",
    "mirostat_eta": "mirostat_tau",
    "xtc_threshold": "xtc_probability",
    "dry_base": "dry_multiplier",
    "dry_allowed_length": "dry_multiplier",
    "dry_range": "dry_multiplier",
    "dry_breakers": "dry_multiplier",
}
DEFAULTS = {field.name: field.default for field in fields(TextJob)}


def settings_of(job: TextJob) -> dict[str, Any]:
    """The settings of the sampling that a job has and that are not off."""
    found = {
        name: getattr(job, name)
        for name, default in DEFAULTS.items()
        if name not in PLAIN | OURS and getattr(job, name) != default
    }
    found["temperature"] = job.temperature
    return {name: value for name, value in found.items() if name not in REFINES or REFINES[name] in found}


def translated(
    job: TextJob, words: Mapping[str, str], dialect: str, ignored: Collection[str], others: Collection[str] = ()
) -> dict[str, Any]:
    """The settings of a job in a dialect's `words`. UnsupportedJob names those that it has none for.

    ignored: what the owner lets the program go without. others: what the caller says in ways of its own.
    """
    settings = settings_of(job)
    missing = sorted(settings.keys() - words.keys() - set(ignored) - set(others))
    if missing:
        raise UnsupportedJob(
            f"{dialect} has no {' and no '.join(missing)}. What may be left out can be listed in engine.ignore."
        )
    return {words[name]: value for name, value in settings.items() if name in words}
