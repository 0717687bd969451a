"""Tiny checkpoints of every family: weights from seeds, so that the goldens need not carry them."""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import save_file
from tokenizers import Tokenizer, decoders, models, pre_tokenizers

GOLDENS = Path(__file__).parent / "goldens"
CONFIGS: dict[str, dict[str, Any]] = json.loads((GOLDENS / "configs.json").read_text(encoding="utf-8"))
END = 0


def tensor(name: str, shape: tuple[int, ...]) -> NDArray[np.float32]:
    """Weights that depend on the name alone; norms around one, the others as wide as keeps states bounded."""
    random = np.random.Generator(np.random.PCG64(zlib.crc32(name.encode())))
    values = random.standard_normal(shape)
    if len(shape) == 1:
        return (values * 0.1 + ("norm" in name and name.endswith("weight"))).astype(np.float32)
    return np.asarray(values * (1.0 if "embed" in name else 1.5 * shape[-1] ** -0.5), np.float32)


def write_checkpoint(folder: Path, case: str) -> Path:
    """A folder as a hub repository holds it: configuration, weights, tokenizer."""
    folder.mkdir(parents=True, exist_ok=True)
    config = CONFIGS[case]["config"]
    (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")
    shapes = {name: tuple(shape) for name, shape in CONFIGS[case]["shapes"].items()}
    save_file({name: tensor(name, shape) for name, shape in shapes.items()}, str(folder / "model.safetensors"))
    write_tokenizer(folder, config["vocab_size"])
    return folder


def write_tokenizer(folder: Path, size: int) -> None:
    """One token per byte of the printable ASCII, `<end>` first."""
    words = ["<end>", *byte_letters(size - 1)]
    made = Tokenizer(models.BPE({word: index for index, word in enumerate(words)}, []))
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = decoders.ByteLevel()
    made.save(str(folder / "tokenizer.json"))
    settings = {"eos_token": "<end>", "chat_template": "{{ messages[0]['content'] }}"}
    (folder / "tokenizer_config.json").write_text(json.dumps(settings), encoding="utf-8")


def byte_letters(count: int) -> Iterable[str]:
    """Byte-level letters: the space (Ġ) and what follows it."""
    return ["Ġ", *(chr(code) for code in range(33, 33 + count - 1))]
