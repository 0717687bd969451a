# mypy: ignore-errors
"""Writes goldens/text/ (a tiny seeded Llama in GenAI's layout) and goldens/text.json (what transformers writes with it).

Run by hand where torch and transformers are installed: PYTHONPATH=. python tests/numeric/make_text_goldens.py
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import onnx
import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
from transformers import LlamaConfig, LlamaForCausalLM

from hordenode.demo.llama_graph import LlamaShape, llama_graph

GOLDENS = Path(__file__).parent / "goldens"
FOLDER = GOLDENS / "text"
CORPUS = "the quick brown fox jumps over the lazy dog and then the dog jumps over the fox again " * 20 + "äöü 日本語 ☃"
PROMPTS = ("the quick brown fox", "a", "jumps over " * 140)
CONTEXT, COUNT, END = 512, 60, 0


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
    cases = []
    for prompt in PROMPTS:
        ids = torch.tensor([made.encode(prompt).ids])
        with torch.no_grad():
            first = model(ids).logits[0, -1]
            out = model.generate(ids, attention_mask=torch.ones_like(ids), max_new_tokens=COUNT, do_sample=False)
        tokens = out[0, ids.shape[1] :].tolist()
        cases.append({"prompt": prompt, "tokens": tokens, "text": made.decode(tokens), "logits": first.tolist()})
        print(len(ids[0]), tokens[:20], repr(cases[-1]["text"][:60]))
    (GOLDENS / "text.json").write_text(json.dumps(cases), encoding="utf-8")


if __name__ == "__main__":
    main()
