"""Our text engine beside ONNX Runtime GenAI and llama.cpp, token by token in turns: python -m tests.bench.text_peers.

Each lives in a process of its own: in one for all, whoever loads first is up to 5 % slower. And all are started anew some
times, as a process can be lucky or not with where its memory lies and where its threads run.

Needs an environment with onnxruntime (the CPU package), onnxruntime-genai, llama-cpp-python and gguf beside this package;
a peer that is not there, or dies of this model, is left out and named. [--precision fp32|int4] [--starts 3] [--pairs 20]
[--threads 2]; prints JSON. Bars at fp32: ours / genai >= 0.97, ours / llama.cpp >= 1.1; at int4: ours / genai >= 0.95.
Peers run as they come, with our number of threads; llama.cpp's int4 is its Q4_0.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib.util
import json
import math
import multiprocessing
import signal
import tempfile
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
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


def timed(step: Callable[[], float]) -> float:
    """A step after one that is not counted, once the threads of whoever went before sleep: some wait awake for long."""
    time.sleep(ASLEEP_S)
    step()
    return step()


class Engine:
    """One of them in its own process. `trouble`: why it is of no use."""

    def __init__(self, name: str, folder: Path, threads: int) -> None:
        context = multiprocessing.get_context("spawn")
        self._line, theirs = context.Pipe()
        self._process = context.Process(target=serve, args=(name, folder, threads, theirs), name=name)
        self._process.start()
        theirs.close()
        self.trouble = ""
        self.step()  # it is ready

    def step(self) -> float:
        """Seconds of a step; NaN where there is trouble."""
        try:
            self._line.send(True)
            return float(self._line.recv())
        except (EOFError, OSError):
            self._process.join()
            code = self._process.exitcode or 0
            self.trouble = f"died: {signal.strsignal(-code)}" if code < 0 else "failed"
            return math.nan

    def stop(self) -> None:
        self._line.close()
        self._process.join()


def serve(name: str, folder: Path, threads: int, line: Connection) -> None:
    """Step whenever asked."""
    step = STEPS[name](folder, threads)
    step()
    with contextlib.suppress(EOFError):
        while line.recv():
            line.send(timed(step))


def ours(folder: Path, threads: int) -> Callable[[], float]:
    runtime = Runtime(EngineSettings(threads=threads, providers=("cpu",)))
    pipeline = TextPipeline(TextModel(path=folder, context=CONTEXT, max_batch=1), runtime)
    return Decoding(pipeline, 1, {"temperature": 0.0}).step


STEPS: dict[str, Callable[[Path, int], Callable[[], float]]] = {
    "ours": ours,
    GenAi.module: lambda folder, threads: GenAi(folder, threads).step,
    LlamaCpp.module: lambda folder, threads: LlamaCpp(folder, threads).step,
    "memory": lambda folder, threads: Memory(4 * RandomTensors().count, threads).step,
}


def compare(engines: dict[str, Engine], pairs: int, notes: Notes) -> None:
    for _ in range(pairs):
        seconds = {name: engine.step() for name, engine in engines.items()}
        for name, spent in seconds.items():
            notes.note(f"{name}: tokens/s", 1 / spent)
            if name != "ours":
                notes.note(f"ours / {name}", spent / seconds["ours"])


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--precision", default="fp32", choices=("fp32", "int4"))
    parser.add_argument("--starts", type=int, default=3)
    parser.add_argument("--pairs", type=int, default=20)
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    missing = {each.module: "is not there" for each in (GenAi, LlamaCpp) if not importlib.util.find_spec(each.module)}
    names = [name for name in STEPS if name not in missing and (name != "memory" or options.precision == "fp32")]
    notes = Notes()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        make_model(folder, options.precision)
        if LlamaCpp.module in names:
            write_gguf(folder, options.precision)
        for _ in range(options.starts):
            engines = {name: Engine(name, folder, options.threads) for name in names if name not in missing}
            missing |= {name: engine.trouble for name, engine in engines.items() if engine.trouble}
            compare({name: engine for name, engine in engines.items() if not engine.trouble}, options.pairs, notes)
            for engine in engines.values():
                engine.stop()
    best = {name: max(notes.found[f"{name}: tokens/s"]) for name in names if name not in missing}
    apart = {f"ours / {name}, the best step of each": round(best["ours"] / best[name], 3) for name in best}
    print(json.dumps({"left out": missing, **notes.medians(), **apart}, indent=1))


if __name__ == "__main__":
    main()
