"""The frmt* flags of KoboldAI (contract 4.2), on a finished text.

`frmtadsnsp` adds a space between the previous text and new input: a request has no previous text, so it does nothing.
"""

from __future__ import annotations

import re

from hordenode.engine.jobs import TextJob

SPECIAL = str.maketrans("", "", "#/@%}{+=~|\\^<>")
SENTENCE_END = re.compile(r"[.!?…][\"'”’)\]*]*(?=\s|$)")


def tidy(text: str, job: TextJob) -> str:
    """The text as the flags want it."""
    if job.singleline:
        text = text.partition("\n")[0]
    if job.frmttriminc:
        text = trim_incomplete(text)
    if job.frmtrmblln:
        text = re.sub(r"\n{2,}", "\n", text)
    if job.frmtrmspch:
        text = text.translate(SPECIAL)
    return text


def trim_incomplete(text: str) -> str:
    """Without an unfinished last sentence; a text without a finished one stays as it is."""
    ends = [match.end() for match in SENTENCE_END.finditer(text)]
    return text[: ends[-1]] if ends else text
