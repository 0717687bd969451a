# mypy: allow-subclassing-any, allow-untyped-calls, no-warn-return-any, no-warn-redundant-casts, no-warn-unused-ignores
"""Trains the tokenizer and the language model on the texts of our own grammar."""

from __future__ import annotations

import math
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from torch import Tensor, nn
from transformers import LlamaConfig, LlamaForCausalLM

from hordenode.demo.draw import HELD_OUT_SEED
from hordenode.demo.text_corpus import END, END_ID, IGNORED, Batch, Corpus, build_corpus
from hordenode.demo.texts import document_text
from hordenode.demo.training import Plan, Trainer, count_parameters, half_precision, load_average

# An upper bound: our texts have fewer different words than would fill it.
VOCABULARY = 2048
CONTEXT = 2048
# The base of the rotary embedding: what a LlamaConfig has that is told nothing, under a name that changes with its version.
ROPE_THETA = 10000.0
# The small model learns most of it; the deep one starts from it, with layers in between that change nothing at first.
LAYERS, DEEP_LAYERS = 5, 13
SMALL, DEEP = "text.pt", "text-deep.pt"
TOKENIZER = "text-tokenizer.json"
# Weights of an exported model, where training goes on from one.
START = "text-start.pt"

TOKENS_PER_STEP = 4096
# Mostly short windows, which hold one document; a few long ones keep the far end of the context usable.
WINDOWS = (128, 128, 128, 128, 128, 256, 256, 512, 512, 1024, 2048)


def llama_config(vocabulary: int, layers: int = LAYERS) -> LlamaConfig:
    """Return the shape of the model: 8 query heads on 4 key-value heads, tied embeddings."""
    return LlamaConfig(
        vocab_size=vocabulary,
        hidden_size=256,
        intermediate_size=704,
        num_hidden_layers=layers,
        num_attention_heads=8,
        num_key_value_heads=4,
        max_position_embeddings=CONTEXT,
        tie_word_embeddings=True,
        rms_norm_eps=1e-5,
        bos_token_id=END_ID,
        eos_token_id=END_ID,
        pad_token_id=END_ID,
    )


def train_tokenizer(documents: int) -> Tokenizer:
    """Learn a byte-level BPE of at most 2048 tokens from the first documents."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY,
        special_tokens=[END],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator((document_text(seed) for seed in range(documents)), trainer)
    return tokenizer


def text_loss(model: LlamaForCausalLM, batch: Batch) -> Tensor:
    """Return the weighted mean of the cross-entropy in nats per token that is a target."""
    tokens, targets, weights = (torch.from_numpy(part) for part in (batch.tokens, batch.targets, batch.weights))
    with half_precision():
        logits = model(tokens).logits
    losses = F.cross_entropy(logits.float().flatten(0, 1), targets.flatten(), ignore_index=IGNORED, reduction="none")
    weights = weights.flatten() * (targets.flatten() != IGNORED)
    return (losses * weights).sum() / weights.sum()


def grown(small: LlamaForCausalLM) -> LlamaForCausalLM:
    """Return a model of 13 layers that computes what one of 5 does.

    Each layer is followed by copies of itself whose outputs are zero (net2net's identity layers, arXiv:1511.05641).
    """
    deep = LlamaForCausalLM(llama_config(small.config.vocab_size, DEEP_LAYERS))
    deep.model.embed_tokens.load_state_dict(small.model.embed_tokens.state_dict())
    deep.model.norm.load_state_dict(small.model.norm.state_dict())
    used = -1
    for place, layer in enumerate(deep.model.layers):
        source = place * LAYERS // DEEP_LAYERS
        layer.load_state_dict(small.model.layers[source].state_dict())
        if source == used:
            nn.init.zeros_(layer.self_attn.o_proj.weight)
            nn.init.zeros_(layer.mlp.down_proj.weight)
        used = source
    return deep


def train_text(folder: Path, plan: Plan, documents: int) -> None:
    """Train, or go on training, the small language model and print its held-out loss."""
    tokenizer_file = folder / TOKENIZER
    if not tokenizer_file.exists():
        train_tokenizer(min(documents, 8000)).save(str(tokenizer_file))
    torch.manual_seed(0)
    model = LlamaForCausalLM(llama_config(load_text_tokenizer(folder).get_vocab_size()))
    _train(model, folder, SMALL, plan, documents)


def train_text_deep(folder: Path, plan: Plan, documents: int) -> None:
    """Train, or go on training, the deep language model that starts from an exported one or from the small one."""
    vocabulary, start = load_text_tokenizer(folder).get_vocab_size(), folder / START
    file = start if start.exists() else folder / SMALL
    layers = layers_of(torch.load(file, weights_only=True)["average"])
    model = LlamaForCausalLM(llama_config(vocabulary, layers))
    load_average(model, file)
    torch.manual_seed(5)
    _train((model if layers == DEEP_LAYERS else grown(model)).train(), folder, DEEP, plan, documents)


def layers_of(names: Iterable[str]) -> int:
    """Return the number of layers of the model that has weights of these names."""
    return len({name.split(".")[2] for name in names if name.startswith("model.layers.")})


def load_text_tokenizer(folder: Path) -> Tokenizer:
    """Read the tokenizer that the training run wrote."""
    return Tokenizer.from_file(str(folder / TOKENIZER))


def load_text_model(folder: Path) -> tuple[LlamaForCausalLM, int]:
    """Return the best model that the folder has, the deep one if there is one, and the steps that it was trained."""
    deep = (folder / DEEP).exists()
    vocabulary = load_text_tokenizer(folder).get_vocab_size()
    model = LlamaForCausalLM(llama_config(vocabulary, DEEP_LAYERS if deep else LAYERS))
    return model, load_average(model, folder / (DEEP if deep else SMALL))


def _train(model: LlamaForCausalLM, folder: Path, name: str, plan: Plan, documents: int, held_out: int = 400) -> None:
    tokenizer = load_text_tokenizer(folder)
    corpus = build_corpus(tokenizer, range(documents))
    millions = len(corpus.tokens) / 1e6
    print(f"text: {count_parameters([model]):.2f}M weights, {documents} documents, {millions:.2f}M tokens", flush=True)

    def loss(random: torch.Generator) -> Tensor:
        length = WINDOWS[int(torch.randint(len(WINDOWS), (1,), generator=random))]
        # Windows begin where a document does: nothing can be learned about a hero whose name was cut off.
        chosen = torch.randint(len(corpus.starts), (TOKENS_PER_STEP // length,), generator=random)
        return text_loss(model, corpus.windows(corpus.starts[chosen.numpy()], length))

    Trainer(model, plan, folder / name, seed=2, decay=0.05).run(loss)
    load_average(model, folder / name)
    value = held_out_loss(model, build_corpus(tokenizer, range(HELD_OUT_SEED, HELD_OUT_SEED + held_out)))
    print(f"held-out loss {value:.4f} nats per token, perplexity {math.exp(value):.3f}", flush=True)


def held_out_loss(model: LlamaForCausalLM, corpus: Corpus, length: int = 512) -> float:
    """Return the loss over a whole corpus, in windows of `length` tokens."""
    first = np.arange(0, len(corpus.tokens) - length, length)
    with torch.no_grad():
        losses = [text_loss(model, corpus.windows(first[i : i + 1], length)).item() for i in range(len(first))]
    return float(np.mean(losses))
