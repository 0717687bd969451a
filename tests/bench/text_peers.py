"""Our text engine beside ONNX Runtime GenAI and llama.cpp, token by token in turns: python -m tests.bench.text_peers.

Needs an environment with onnxruntime (the CPU package), onnxruntime-genai, llama-cpp-python and gguf beside this package;
a peer that is not there, or dies of this model, is left out and named. [--precision fp32|int4] [--pairs 40] [--threads 2];
prints JSON. Bars at fp32: ours / genai >= 0.97, ours / llama.cpp >= 1.1; at int4: ours / genai >= 0.95. Peers run as they
come, with our number of threads; llama.cpp's int4 is its Q4_0.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import multiprocessing
import signal
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from hordenode.catalog import TextModel
from hordenode.config import EngineSettings
from hordenode.engine.runtime import Runtime
from hordenode.engine.text.pipeline import TextPipeline
from tests.bench.text_limits import Decoding, Memory, Notes
from tests.bench.text_model import CONFIG, CONTEXT, RandomTensors, make_model

PROMPT = 24
LONGEST = 300
ASLEEP_S = 0.05


class GenAi:
    """One greedy text after another; a step is one token."""

    module = "onnxruntime_genai"

    def __init__(self, folder: Path, threads: int) -> None:
        import onnxruntime_genai as genai

        self._genai = genai
        config = genai.Config(str(folder))
        options = {"model": {"decoder": {"session_options": {"intra_op_num_threads": threads}}}}
        config.overlay(json.dumps(options))
        self._model = genai.Model(config)
        self._left = 0

    def step(self) -> float:
        if self._left == 0:
            parameters = self._genai.GeneratorParams(self._model)
            parameters.set_search_options(max_length=PROMPT + LONGEST + 20, do_sample=False)
            self._generator = self._genai.Generator(self._model, parameters)
            self._generator.append_tokens(np.arange(1, PROMPT + 1, dtype=np.int32)[None])
            self._generator.generate_next_token()
            self._left = LONGEST
        self._left -= 1
        started = time.perf_counter()
        self._generator.generate_next_token()
        return time.perf_counter() - started


class LlamaCpp:
    """As above; what it is asked for is the logits and the greedy choice."""

    module = "llama_cpp"

    def __init__(self, folder: Path, threads: int) -> None:
        import llama_cpp

        self._logits = llama_cpp.llama_get_logits_ith
        self._llama = llama_cpp.Llama(
            str(folder / "model.gguf"), n_ctx=CONTEXT, n_threads=threads, n_threads_batch=threads, verbose=False
        )
        self._left = 0
        self._token = 1

    def step(self) -> float:
        if self._left == 0:
            self._llama.reset()
            self._llama.eval(list(range(1, PROMPT + 1)))
            self._left = LONGEST
        self._left -= 1
        started = time.perf_counter()
        self._llama.eval([self._token])
        row = np.ctypeslib.as_array(self._logits(self._llama._ctx.ctx, -1), shape=(CONFIG["vocab_size"],))
        self._token = int(row.argmax())
        return time.perf_counter() - started


def write_gguf(folder: Path, precision: str) -> None:
    """The same weights in llama.cpp's format."""
    import gguf

    kind = {"fp32": gguf.GGMLQuantizationType.F32, "int4": gguf.GGMLQuantizationType.Q4_0}[precision]
    heads, key_heads, size = CONFIG["num_attention_heads"], CONFIG["num_key_value_heads"], CONFIG["vocab_size"]
    made = gguf.GGUFWriter(str(folder / "model.gguf"), "llama")
    made.add_context_length(CONTEXT)
    made.add_embedding_length(CONFIG["hidden_size"])
    made.add_block_count(CONFIG["num_hidden_layers"])
    made.add_feed_forward_length(CONFIG["intermediate_size"])
    made.add_head_count(heads)
    made.add_head_count_kv(key_heads)
    made.add_layer_norm_rms_eps(CONFIG["rms_norm_eps"])
    made.add_rope_dimension_count(CONFIG["hidden_size"] // heads)
    made.add_rope_freq_base(CONFIG["rope_theta"])
    made.add_vocab_size(size)
    made.add_tokenizer_model("gpt2")
    made.add_tokenizer_pre("gpt-2")
    made.add_token_list([f"t{number}" for number in range(size)])
    made.add_token_types([1] * size)
    made.add_token_merges(["t 1"])
    made.add_bos_token_id(0)
    made.add_eos_token_id(0)
    tensors = RandomTensors()
    for name in tensors.shapes:
        value = tensors.read(name)
        if "q_proj" in name or "k_proj" in name:
            value = _interleaved(value, heads if "q_proj" in name else key_heads)
        if value.ndim == 2 and precision != "fp32":
            made.add_tensor(_gguf_name(name), gguf.quants.quantize(value, kind), raw_dtype=kind)
        else:
            made.add_tensor(_gguf_name(name), np.ascontiguousarray(value))
    made.write_header_to_file()
    made.write_kv_data_to_file()
    made.write_tensors_to_file()
    made.close()


def _interleaved(value: Any, heads: int) -> Any:
    """Rows in the order of llama.cpp's rotation: halves of a head become neighbours."""
    rows, columns = value.shape
    return value.reshape(heads, 2, rows // heads // 2, columns).swapaxes(1, 2).reshape(rows, columns)


def _gguf_name(name: str) -> str:
    whole = {"model.embed_tokens.weight": "token_embd.weight", "model.norm.weight": "output_norm.weight"}
    if name in whole:
        return whole[name]
    _, _, layer, part = name.split(".", 3)
    parts = {
        "input_layernorm": "attn_norm",
        "post_attention_layernorm": "ffn_norm",
        "self_attn.o_proj": "attn_output",
        **{f"self_attn.{each}_proj": f"attn_{each}" for each in "qkv"},
        **{f"mlp.{each}_proj": f"ffn_{each}" for each in ("gate", "up", "down")},
    }
    return f"blk.{layer}.{parts[part.removesuffix('.weight')]}.weight"


def trouble(peer: type[GenAi | LlamaCpp], folder: Path, threads: int) -> str:
    """Why a peer cannot be timed: it is tried in a process of its own, as a library may use what the processor has not."""
    if importlib.util.find_spec(peer.module) is None:
        return "is not there"
    process = multiprocessing.get_context("spawn").Process(target=try_out, args=(peer, folder, threads))
    process.start()
    process.join()
    code = process.exitcode or 0
    return f"died: {signal.strsignal(-code)}" if code < 0 else "failed" if code else ""


def try_out(peer: type[GenAi | LlamaCpp], folder: Path, threads: int) -> None:
    """Two steps."""
    step = peer(folder, threads).step
    step()
    step()


def timed(step: Callable[[], float]) -> float:
    """A step after one that is not counted, once the threads of whoever went before sleep: some wait awake for long."""
    time.sleep(ASLEEP_S)
    step()
    return step()


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--precision", default="fp32", choices=("fp32", "int4"))
    parser.add_argument("--pairs", type=int, default=40)
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    steps: dict[str, Callable[[], float]] = {}
    missing = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        size = make_model(folder, options.precision)
        runtime = Runtime(EngineSettings(threads=options.threads, providers=("cpu",)))
        pipeline = TextPipeline(TextModel(path=folder, context=CONTEXT, max_batch=1), runtime)
        steps["ours"] = Decoding(pipeline, 1, {"temperature": 0.0}).step
        for peer in (GenAi, LlamaCpp):
            if peer is LlamaCpp and importlib.util.find_spec("gguf"):
                write_gguf(folder, options.precision)
            if why := trouble(peer, folder, options.threads):
                missing[peer.module] = why
                continue
            steps[peer.module] = peer(folder, options.threads).step
    if options.precision == "fp32":
        steps["memory"] = Memory(size, options.threads).step
    notes = Notes()
    for step in steps.values():
        step()
    for _ in range(options.pairs):
        seconds = {name: timed(step) for name, step in steps.items()}
        for name, spent in seconds.items():
            notes.note(f"{name}: tokens/s", 1 / spent)
            if name != "ours":
                notes.note(f"ours / {name}", spent / seconds["ours"])
    best = {name: max(notes.found[f"{name}: tokens/s"]) for name in steps}
    apart = {f"ours / {name}, the best step of each": round(best["ours"] / best[name], 3) for name in steps}
    print(json.dumps({"left out": missing, **notes.medians(), **apart}, indent=1))


if __name__ == "__main__":
    main()
