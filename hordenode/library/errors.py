"""How model management fails: one exception whose text names the file and says what to do."""

from __future__ import annotations


class LibraryError(Exception):
    """A model cannot be added, checked, removed or carried. The text is for the person who asked."""


class Interrupted(LibraryError):
    """The work stopped half way through no fault of the model; what is there is kept, and the same command goes on."""
