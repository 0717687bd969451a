# mypy: ignore-errors
"""Writes goldens/configs.json (a tiny configuration of every family, and its tensors' shapes) and goldens/logits.npz (what
transformers answers with the weights of tiny.py).

Run by hand where torch and transformers are installed: PYTHONPATH=. python tests/library/make_goldens.py
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import torch
from transformers import AutoModelForCausalLM
from transformers.models.auto.configuration_auto import CONFIG_MAPPING

GOLDENS = Path(__file__).parent / "goldens"
SIZES = {
    "vocab_size": 96,
    "hidden_size": 64,
    "intermediate_size": 96,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 256,
    "bos_token_id": None,
    "eos_token_id": 0,
    "pad_token_id": 0,
    "torch_dtype": "float32",
}
LLAMA3 = {"rope_type": "llama3", "rope_theta": 10000.0, "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0}
LONGROPE = {"rope_type": "longrope", "short_factor": [1.0 + i / 8 for i in range(8)], "long_factor": [4.0] * 8}
YARN = {"rope_type": "yarn", "rope_theta": 10000.0, "factor": 4.0, "original_max_position_embeddings": 64}
CASES = {
    "llama": ("llama", {"rope_parameters": {**LLAMA3, "original_max_position_embeddings": 64}}),
    "llama linear": (
        "llama",
        {
            "rope_parameters": {"rope_type": "linear", "rope_theta": 10000.0, "factor": 4.0},
            "attention_bias": True,
            "mlp_bias": True,
            "tie_word_embeddings": True,
        },
    ),
    "mistral": ("mistral", {"sliding_window": 9, "head_dim": 32}),
    "qwen2": ("qwen2", {"tie_word_embeddings": True, "rope_parameters": YARN}),
    "qwen3": ("qwen3", {"head_dim": 32}),
    "gemma": ("gemma", {"head_dim": 32, "num_key_value_heads": 1}),
    "gemma2": ("gemma2", {"head_dim": 32, "sliding_window": 9, "query_pre_attn_scalar": 40}),
    "gemma3": (
        "gemma3_text",
        {
            "head_dim": 32,
            "sliding_window": 9,
            "query_pre_attn_scalar": 40,
            "num_hidden_layers": 3,
            "layer_types": ["sliding_attention"] * 2 + ["full_attention"],
        },
    ),
    "phi": ("phi", {"partial_rotary_factor": 0.5, "hidden_size": 128}),
    "phi3": (
        "phi3",
        {
            "hidden_size": 128,
            "partial_rotary_factor": 0.5,
            "original_max_position_embeddings": 64,
            "rope_scaling": LONGROPE,
            "sliding_window": 9,
        },
    ),
}
TOKENS = np.random.Generator(np.random.PCG64(7)).integers(1, 96, 48)


def main():
    from tests.library.tiny import tensor

    configs, logits = {}, {"tokens": TOKENS}
    for case, (kind, changes) in CASES.items():
        config = CONFIG_MAPPING[kind](**{**SIZES, **changes})
        config._attn_implementation = "eager"
        model = AutoModelForCausalLM.from_config(config).eval().float()
        state = {name: tuple(value.shape) for name, value in model.state_dict().items()}
        if config.tie_word_embeddings:
            state.pop("lm_head.weight", None)
        model.load_state_dict(
            {name: torch.from_numpy(tensor(name, shape)) for name, shape in state.items()}, strict=False
        )
        model.tie_weights()
        with torch.no_grad():
            logits[case] = model(torch.from_numpy(TOKENS)[None]).logits[0].numpy().astype(np.float32)
        stored = json.loads(config.to_json_string(use_diff=False))
        configs[case] = {"config": stored, "shapes": state}
        print(case, logits[case].std(), logits[case][-1].argmax())
    (GOLDENS / "configs.json").write_text(json.dumps(configs, indent=1), encoding="utf-8")
    np.savez_compressed(GOLDENS / "logits.npz", **logits)


if __name__ == "__main__":
    main()
