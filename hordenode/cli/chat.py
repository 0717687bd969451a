"""Whether a prompt is to be answered or to be gone on with, where the user did not say."""

from __future__ import annotations

from pathlib import Path

from hordenode.cli.common import Failure

QUESTIONS = ("?", "？", "؟")
REQUESTS = frozenset("tell write explain describe list translate summarize summarise compare please hello hi".split())


def is_answered(prompt: str, data_dir: Path, model: str | None, wanted: bool | None) -> bool:
    """As `wanted`; else a question or a request is answered, by a model of ours that has a chat template.

    Failure where an answer is wanted of a model of ours that has none.
    """
    if wanted is False or (wanted is None and not is_said(prompt)):
        return False
    talks = _talks(data_dir, model)
    if wanted and talks is False and model is not None:
        raise Failure(f"'{model}' has no chat template, so it cannot be told something. Without --chat it goes on.")
    return bool(wanted or talks)


def is_said(prompt: str) -> bool:
    """Whether somebody says this to somebody: it ends as a question, or begins as a request does in English."""
    words = prompt.split(maxsplit=1)
    return prompt.rstrip().endswith(QUESTIONS) or (bool(words) and words[0].strip(",.!:").lower() in REQUESTS)


def _talks(data_dir: Path, model: str | None) -> bool | None:
    """Whether the model, or each that may be taken, has a chat template; None for a model that is not ours."""
    from hordenode.catalog import load_catalog
    from hordenode.engine.text.chat import read_template

    known = load_catalog(data_dir).text
    if model is not None and model not in known:
        return None
    folders = [each.path for name, each in known.items() if model in (None, name) and each.path.is_dir()]
    return bool(folders) and all(read_template(folder) is not None for folder in folders)
