"""Our text engine beside transformers and ONNX Runtime GenAI on a GPU, on the same random weights (see text_gpu.sh).

Each engine lives in a process of its own and waits while the others run: they bring CUDA libraries of their own.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.bench.text_limits import Decoding, Notes
from tests.bench.text_model import TOKENIZER

# hidden, inner, layers, heads, key-value heads, vocabulary
SIZES = {"tiny": (64, 128, 2, 4, 2, 512), "135m": (576, 1536, 30, 9, 3, 49152), "1b": (2048, 8192, 16, 32, 8, 128256)}
ENGINES = ("ours", "transformers", "genai")
PROMPT, CONTEXT = 24, 1024

Write = Callable[[int], float]  # tokens of each text -> seconds that decoding them took


def make(folder: Path, device: str, size: str) -> None:
    """A checkpoint of random weights in fp16, and the same through our converter."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    from hordenode.library.convert.architecture import read_architecture
    from hordenode.library.convert.checkpoint import Checkpoint, SafeTensors
    from hordenode.library.convert.decoder import DecoderWriter
    from hordenode.library.convert.genai import write_genai_config
    from hordenode.library.convert.precision import PRECISIONS

    hidden, inner, layers, heads, key_heads, vocabulary = SIZES[size]
    config = LlamaConfig(
        vocab_size=vocabulary,
        hidden_size=hidden,
        intermediate_size=inner,
        num_hidden_layers=layers,
        num_attention_heads=heads,
        num_key_value_heads=key_heads,
        max_position_embeddings=CONTEXT,
        tie_word_embeddings=True,
        bos_token_id=0,
        eos_token_id=None,
    )
    torch.manual_seed(0)
    source, target = folder / "torch", folder / "onnx"
    LlamaForCausalLM(config).half().save_pretrained(source)
    target.mkdir(parents=True)
    for place in (source, target):
        shutil.copy(TOKENIZER, place / "tokenizer.json")
    shape = read_architecture(source)
    precision = PRECISIONS["fp32" if device == "cpu" else "fp16"]
    DecoderWriter(shape, Checkpoint(SafeTensors(source), shape), precision, target).write()
    write_genai_config(target, shape)


def ours(folder: Path, device: str, count: int) -> Write:
    from hordenode.catalog import TextModel
    from hordenode.config import EngineSettings
    from hordenode.engine.runtime import Runtime
    from hordenode.engine.text.pipeline import TextPipeline

    runtime = Runtime(EngineSettings(providers=(device,)))
    pipeline = TextPipeline(TextModel(path=folder / "onnx", context=CONTEXT, max_batch=count), runtime)
    texts = Decoding(pipeline, count, {"temperature": 0.0})

    def write(tokens: int) -> float:
        return sum(texts.step() for _ in range(tokens))

    return write


def transformers(folder: Path, device: str, count: int) -> Write:
    import torch
    from transformers import LlamaForCausalLM

    kind = torch.float32 if device == "cpu" else torch.float16
    model = LlamaForCausalLM.from_pretrained(folder / "torch", dtype=kind).to(device).eval()
    ids = torch.arange(1, PROMPT + 1, device=device).repeat(count, 1)

    def write(tokens: int) -> float:
        with torch.inference_mode():
            made = model(ids, use_cache=True)
            last = made.logits[:, -1:].argmax(-1)
            if device != "cpu":
                torch.cuda.synchronize()
            started = time.perf_counter()
            for _ in range(tokens):
                made = model(last, past_key_values=made.past_key_values, use_cache=True)
                last = made.logits[:, -1:].argmax(-1)
            last.tolist()  # waits for the device
            return time.perf_counter() - started

    return write


def genai(folder: Path, device: str, count: int) -> Write:
    import numpy as np
    import onnxruntime_genai

    config = onnxruntime_genai.Config(str(folder / "onnx"))
    if device != "cpu":
        config.clear_providers()
        config.append_provider(device)
    model = onnxruntime_genai.Model(config)
    prompt = np.tile(np.arange(1, PROMPT + 1, dtype=np.int32), (count, 1))

    def write(tokens: int) -> float:
        parameters = onnxruntime_genai.GeneratorParams(model)
        parameters.set_search_options(max_length=PROMPT + tokens + 8, batch_size=count, do_sample=False)
        generator = onnxruntime_genai.Generator(model, parameters)
        generator.append_tokens(prompt)
        generator.generate_next_token()
        started = time.perf_counter()
        for _ in range(tokens):
            generator.generate_next_token()
        return time.perf_counter() - started

    return write


def child(engine: str, folder: Path, device: str, count: int) -> None:
    """Answer each line, a number of tokens, with the seconds that it took."""
    builders: dict[str, Callable[[Path, str, int], Write]] = {
        "ours": ours,
        "transformers": transformers,
        "genai": genai,
    }
    write = builders[engine](folder, device, count)
    write(4)
    print("ready", flush=True)
    for line in sys.stdin:
        print(write(int(line)), flush=True)


def run(folder: Path, device: str, count: int, pairs: int, tokens: int) -> dict[str, Any]:
    """All engines in turns."""
    children, missing, notes = {}, [], Notes()
    for engine in ENGINES:
        command = [sys.executable, "-m", __spec__.name, "child", str(folder), "--engine", engine]
        command += ["--device", device, "--count", str(count)]
        started = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        if _answer(started) == "ready":
            children[engine] = started
        else:
            missing.append(engine)
    for _ in range(pairs):
        seconds: dict[str, float] = {}
        for engine, process in children.items():
            assert process.stdin is not None
            process.stdin.write(f"{tokens}\n")
            process.stdin.flush()
            seconds[engine] = float(_answer(process))
        for engine, spent in seconds.items():
            notes.note(f"{engine}: tokens/s", count * tokens / spent)
            if engine != "ours" and "ours" in seconds:
                notes.note(f"ours / {engine}", spent / seconds["ours"])
    for process in children.values():
        process.communicate()
    return {"texts": count, "device": device, "left out": missing, **notes.medians()}


def _answer(process: subprocess.Popen[str]) -> str:
    """The next line that is one; runtimes also greet."""
    assert process.stdout is not None
    for line in process.stdout:
        if line.strip() == "ready" or line.strip().replace(".", "").replace("e-", "").isdecimal():
            return line.strip()
    return ""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=("make", "run", "child"))
    parser.add_argument("folder", type=Path)
    parser.add_argument("--engine", choices=ENGINES)
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cuda")
    parser.add_argument("--size", choices=tuple(SIZES), default="1b")
    parser.add_argument("--count", type=int, default=1)
    parser.add_argument("--pairs", type=int, default=7)
    parser.add_argument("--tokens", type=int, default=64)
    given = parser.parse_args()
    if given.what == "make":
        make(given.folder, given.device, given.size)
    elif given.what == "child":
        child(given.engine, given.folder, given.device, given.count)
    else:
        print(json.dumps(run(given.folder, given.device, given.count, given.pairs, given.tokens), indent=1))


if __name__ == "__main__":
    main()
