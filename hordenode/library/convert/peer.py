"""The same comparison with transformers, where it is installed: a second opinion on the reference itself."""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hordenode.engine.files import read_json
from hordenode.library.convert.architecture import CONFIG

Logits = NDArray[np.float32]

# transformers holds the whole checkpoint in float32; beyond this many bytes of weights the reference has to do.
LARGEST = 4 * 2**30
UNDERSTANDS_ROTATION = 5  # the first version that reads `rope_parameters`


def peer_logits(folder: Path, tokens: Sequence[int]) -> Logits | None:
    """What transformers answers to each token; None where it is not installed or the checkpoint is too large for it."""
    weights = sum(file.stat().st_size for file in folder.glob("*.safetensors"))
    if not 0 < weights <= LARGEST or not all(importlib.util.find_spec(name) for name in ("torch", "transformers")):
        return None
    import torch
    import transformers

    config = read_json(folder / CONFIG, dict[str, Any])
    if "rope_parameters" in config and int(transformers.__version__.partition(".")[0]) < UNDERSTANDS_ROTATION:
        return None  # it would take the defaults without a word
    model = transformers.AutoModelForCausalLM.from_pretrained(
        # Its quicker ways of attention leave out caps.
        str(folder),
        local_files_only=True,
        trust_remote_code=False,
        dtype=torch.float32,
        attn_implementation="eager",
    ).eval()
    with torch.no_grad():
        logits = model(torch.tensor([list(tokens)])).logits[0].float()
    return np.asarray(logits.numpy(), np.float32)
