"""Tokenizers of model folders, as both halves use them."""

from __future__ import annotations

from pathlib import Path

from tokenizers import Regex, Tokenizer, normalizers, pre_tokenizers
from tokenizers.models import BPE

from hordenode.engine.files import RESTORE
from hordenode.engine.jobs import ModelFileError

CLIP_MARKS = ("<|startoftext|>", "<|endoftext|>")
CLIP_WORDS = Regex(r"'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+")


def open_tokenizer(folder: Path) -> Tokenizer:
    """The tokenizer of a folder: tokenizer.json, else CLIP's vocab.json and merges.txt. Raises ModelFileError."""
    whole = folder / "tokenizer.json"
    try:
        if whole.exists():
            return Tokenizer.from_file(str(whole))
        return _clip_tokenizer(folder)
    except ModelFileError:
        raise
    except Exception as error:  # tokenizers raises bare ones
        raise ModelFileError(whole, f"cannot be loaded ({error})", RESTORE) from error


def _clip_tokenizer(folder: Path) -> Tokenizer:
    """CLIP's byte-level BPE, as the tokenizer.json of newer exports describes it."""
    for name in ("vocab.json", "merges.txt"):
        if not (folder / name).is_file():
            raise ModelFileError(folder / name, "is missing, and so is tokenizer.json", RESTORE)
    bpe = BPE.from_file(
        str(folder / "vocab.json"), str(folder / "merges.txt"), unk_token=CLIP_MARKS[1], end_of_word_suffix="</w>"
    )
    tokenizer = Tokenizer(bpe)
    tokenizer.add_special_tokens(list(CLIP_MARKS))
    tokenizer.normalizer = normalizers.Sequence(
        [normalizers.NFC(), normalizers.Replace(Regex(r"\s+"), " "), normalizers.Lowercase()]
    )
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(CLIP_WORDS, behavior="removed", invert=True),
            pre_tokenizers.ByteLevel(add_prefix_space=False),
        ]
    )
    return tokenizer
