# mypy: ignore-errors
"""Writes goldens/text/ (a tiny seeded Llama in GenAI's layout) and goldens/text.json and .npz (what transformers makes of it).

Run by hand where torch and transformers are installed: PYTHONPATH=. python tests/numeric/make_text_goldens.py
With --check nothing is written: transformers' tokens and logits are compared with the pipeline's, live.
"""

from __future__ import annotations

import argparse
import json
import shutil
from pathlib import Path

import numpy as np
import onnx
import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
from transformers import LlamaConfig, LlamaForCausalLM

from hordenode.demo.llama_graph import LlamaShape, llama_graph

GOLDENS = Path(__file__).parent / "goldens"
FOLDER = GOLDENS / "text"
CORPUS = "the quick brown fox jumps over the lazy dog and then the dog jumps over the fox again " * 20 + "äöü 日本語 ☃"
STORY = "and then the quick dog jumps over the lazy fox again, äöü or not; " * 40
LENGTHS = (1, 2, 19, 64, 150, 300, 620, 900)  # tokens; those of 150 and more begin alike
CONTEXT, COUNT, END = 1024, 48, 0
LOGITS_AT = (0, 1, 7, 23, 47)  # written tokens after which logits are kept


def tokenizer():
    """Byte-level BPE with a token for start and end."""
    made = Tokenizer(models.BPE())
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=300, special_tokens=["<|endoftext|>"], initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet())
    )
    made.train_from_iterator([CORPUS], trainer)
    made.post_processor = processors.TemplateProcessing(
        single="<|endoftext|> $A", special_tokens=[("<|endoftext|>", END)]
    )
    return made


def llama(vocabulary):
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=vocabulary,
        hidden_size=64,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=CONTEXT,
        rms_norm_eps=1e-5,
        rope_theta=10000.0,
        tie_word_embeddings=True,
        initializer_range=0.3,
        bos_token_id=END,
        eos_token_id=None,
        pad_token_id=END,
    )
    model = LlamaForCausalLM(config).eval()
    for parameter in model.parameters():
        parameter.data = parameter.data.half().float()  # as the file stores them
    return model, config


def write_model(model, config):
    shape = LlamaShape(
        vocabulary=config.vocab_size,
        hidden=config.hidden_size,
        layers=config.num_hidden_layers,
        heads=config.num_attention_heads,
        key_value_heads=config.num_key_value_heads,
        context=CONTEXT,
        epsilon=config.rms_norm_eps,
        rope_theta=config.rope_theta,
    )
    weights = {name: value.numpy() for name, value in model.state_dict().items()}
    onnx.save(llama_graph(shape, weights), str(FOLDER / "model.onnx"))
    decoder = {
        "filename": "model.onnx",
        "head_size": shape.head_size,
        "num_hidden_layers": shape.layers,
        "num_key_value_heads": shape.key_value_heads,
    }
    genai = {
        "model": {"bos_token_id": END, "eos_token_id": [END], "context_length": CONTEXT, "decoder": decoder},
        "search": {"past_present_share_buffer": True},
    }
    (FOLDER / "genai_config.json").write_text(json.dumps(genai, indent=1), encoding="utf-8")


def main():
    shutil.rmtree(FOLDER, ignore_errors=True)
    FOLDER.mkdir(parents=True)
    made = tokenizer()
    made.save(str(FOLDER / "tokenizer.json"))
    model, config = llama(made.get_vocab_size())
    write_model(model, config)
    cases, logits = [], {}
    for at, prompt in enumerate(prompts(made)):
        tokens, rows = write(model, made.encode(prompt).ids)
        cases.append({"prompt": prompt, "tokens": tokens, "text": made.decode(tokens), "logits_at": LOGITS_AT})
        logits[str(at)] = rows[list(LOGITS_AT)].astype(np.float32)
        print(LENGTHS[at], tokens[:20], repr(cases[-1]["text"][:60]))
    (GOLDENS / "text.json").write_text(json.dumps(cases), encoding="utf-8")
    np.savez_compressed(GOLDENS / "text.npz", **logits)


def prompts(tokenizer):
    """Texts of as many tokens as LENGTHS says, the one at the start counted."""
    starts = ["", "a", "the quick brown fox", "jumps over the dog " * 20] + [STORY] * 4
    for start, length in zip(starts, LENGTHS, strict=True):
        text = start
        while len(tokenizer.encode(text).ids) > length:
            text = text[:-1]
        while len(tokenizer.encode(text).ids) < length:
            text += "z"
        assert len(tokenizer.encode(text).ids) == length, (text, length)
        yield text


def write(model, ids):
    """Greedy tokens without the one that ends a text, and the logits before each."""
    tokens, rows = [], []
    with torch.no_grad():
        out = model(torch.tensor([ids]), use_cache=True)
        for _ in range(COUNT):
            rows.append(out.logits[0, -1].numpy())
            tokens.append(likeliest(rows[-1]))
            out = model(torch.tensor([tokens[-1:]]), past_key_values=out.past_key_values, use_cache=True)
    return tokens, np.array(rows)


def likeliest(row):
    return int(np.where(np.arange(len(row)) == END, -np.inf, row).argmax())


def check():
    """Compare the pipeline's own runs with transformers, now."""
    from hordenode.config import EngineSettings
    from hordenode.engine.runtime import Runtime
    from hordenode.engine.text.config import read_genai_config
    from hordenode.engine.text.runner import TextRunner

    made = Tokenizer.from_file(str(FOLDER / "tokenizer.json"))
    model, _ = llama(made.get_vocab_size())
    graph = Runtime(EngineSettings(threads=1, providers=("cpu",))).open(FOLDER / "model.onnx")
    for prompt in prompts(made):
        ids = made.encode(prompt).ids
        tokens, rows = write(model, ids)
        runner = TextRunner(graph, read_genai_config(FOLDER), 1, CONTEXT)
        logits = [runner.prefill(0, ids, 0)[0].copy()]
        for at, token in enumerate(tokens[:-1]):
            logits.append(runner.decode([token], [len(ids) + at]).logits[0].copy())
        far = float(np.abs(np.array(logits) - rows).max())
        same = [likeliest(row) for row in logits] == tokens
        print(f"{len(ids):4d} tokens: logits within {far:.1e}, greedy tokens {'the same' if same else 'DIFFERENT'}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--check", action="store_true")
    check() if parser.parse_args().check else main()
