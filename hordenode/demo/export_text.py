# mypy: allow-subclassing-any, allow-untyped-calls, no-warn-return-any, no-warn-redundant-casts, no-warn-unused-ignores
"""Exports the trained language model as the folder that ONNX Runtime GenAI reads, and checks it against torch."""

from __future__ import annotations

import json
from pathlib import Path

import onnx
import torch
from tokenizers import processors
from transformers import LlamaForCausalLM

from hordenode.demo.int8 import rounded
from hordenode.demo.llama_graph import LlamaShape, llama_graph
from hordenode.demo.onnx_text import OnnxTextModel
from hordenode.demo.text_corpus import END, END_ID
from hordenode.demo.train_text import ROPE_THETA, load_text_model, load_text_tokenizer
from hordenode.library.convert.genai import decoder_config

PROMPTS = (
    "Once upon a time",
    "User: What is kudos?\nAssistant:",
    "User: Tell me a story about Ada.\nAssistant:",
    "### Instruction:\nWhat is a worker?\n### Response:\n",
)

# The layout that the texts call CHAT, as Jinja; a system message has no place in it.
CHAT_TEMPLATE = (
    "{% for message in messages %}"
    "{% if message.role == 'user' %}{{ '' if loop.first else '\n' }}User: {{ message.content }}\n"
    "{% elif message.role == 'assistant' %}Assistant: {{ message.content }}{% endif %}"
    "{% endfor %}"
    "{% if add_generation_prompt %}Assistant:{% endif %}"
)


def export_text(folder: Path, target: Path) -> None:
    """Write model.onnx, genai_config.json and the tokenizer of the checkpoint in `folder` to `target`.

    Raises AssertionError if a greedy continuation differs from the one that transformers writes.
    """
    target.mkdir(parents=True, exist_ok=True)
    tokenizer = load_text_tokenizer(folder)
    model, steps = load_text_model(folder)
    config = model.config
    shape = LlamaShape(
        vocabulary=config.vocab_size,
        hidden=config.hidden_size,
        layers=config.num_hidden_layers,
        heads=config.num_attention_heads,
        key_value_heads=config.num_key_value_heads,
        context=config.max_position_embeddings,
        epsilon=config.rms_norm_eps,
        rope_theta=ROPE_THETA,
    )
    weights = {name: value.float().numpy() for name, value in model.state_dict().items()}
    onnx.save(llama_graph(shape, weights, int8=True), str(target / "model.onnx"))
    tokenizer.post_processor = processors.TemplateProcessing(single=f"{END} $A", special_tokens=[(END, END_ID)])
    tokenizer.save(str(target / "tokenizer.json"))
    _write_json(target / "tokenizer_config.json", _tokenizer_config(shape))
    _write_json(target / "genai_config.json", _genai_config(shape))
    verify_text(model, target)
    print(f"text model of {steps} steps exported, greedy tokens equal on {len(PROMPTS)} prompts", flush=True)


def verify_text(model: LlamaForCausalLM, target: Path) -> None:
    """Compare the exported graph with transformers, token by token, and print what it writes."""
    exported = OnnxTextModel(target)
    for parameter in model.parameters():
        # Round like the file does, so that any difference left is a fault of the graph.
        value = parameter.data
        parameter.data = torch.from_numpy(rounded(value.numpy())) if value.dim() == 2 else value.half().float()
    for prompt in PROMPTS:
        ids = exported.encode(prompt)
        written = exported.greedy(ids, 120)
        with torch.no_grad():
            given = torch.tensor([ids])
            output = model.generate(given, attention_mask=torch.ones_like(given), max_new_tokens=120, do_sample=False)
        expected = output[0, len(ids) :].tolist()
        if written != expected:
            raise AssertionError(f"{prompt!r}: {written} instead of {expected}")
        print(f"--- {prompt}{exported.decode(written)}", flush=True)


def _tokenizer_config(shape: LlamaShape) -> dict[str, object]:
    return {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "bos_token": END,
        "eos_token": END,
        "pad_token": END,
        "unk_token": END,
        "add_bos_token": True,
        "clean_up_tokenization_spaces": False,
        "chat_template": CHAT_TEMPLATE,
        "model_max_length": shape.context,
    }


def _genai_config(shape: LlamaShape) -> dict[str, object]:
    """Return the configuration in the shape of the GenAI builder's."""
    decoder = decoder_config(shape)
    model = {
        "bos_token_id": END_ID,
        "context_length": shape.context,
        "decoder": decoder,
        "eos_token_id": END_ID,
        "pad_token_id": END_ID,
        "type": "llama",
        "vocab_size": shape.vocabulary,
    }
    search = {
        "do_sample": True,
        "max_length": shape.context,
        "min_length": 0,
        "num_beams": 1,
        "past_present_share_buffer": True,
        "repetition_penalty": 1.0,
        "temperature": 0.7,
        "top_k": 50,
        "top_p": 0.95,
    }
    return {"model": model, "search": search}


def _write_json(file: Path, content: dict[str, object]) -> None:
    file.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
