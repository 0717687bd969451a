"""Our image engine beside diffusers and optimum on the same weights: seconds per step and peak memory.

    python -m tests.bench.image_peers make FOLDER                      a random-weight model of SD 1.5's size
    python -m tests.bench.image_peers run FOLDER --size 256 --pairs 7  all engines in turn; one JSON object at the end

Needs torch, diffusers and optimum-onnx beside hordenode. Every engine lives in a process of its own and waits while the
others run. Guidance is on, so a step is two looks of the UNet. `outside`: the part of a step that is not the UNet's run;
on a GPU no more than that is it idle between steps, as what our small graphs take counts as idle. See image_gpu.sh.
"""

from __future__ import annotations

import argparse
import itertools
import json
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from tests.bench.image_model import SIZES, make

ENGINES = ("hordenode", "diffusers", "optimum")
PROMPT = "abc"
SCALE = 7.5

Moment = tuple[float, float]  # seconds on the clock, and of processors spent by this process
Draw = Callable[[int], list[Moment]]  # steps -> moments at which they were done


def moment() -> Moment:
    return time.perf_counter(), time.process_time()


def added(folder: Path) -> Path:
    """What `models add` made of a folder, else what optimum exported, else the folder itself."""
    ours, exported = folder / "data" / "models" / "image", folder / "onnx"
    if ours.is_dir():
        return next(each for each in ours.iterdir() if each.is_dir())
    return exported if exported.is_dir() else folder


def hordenode(folder: Path, size: int, threads: int, device: str, batch: int) -> Draw:
    """Ours; also measures what a step spends outside of ONNX Runtime."""
    from hordenode.catalog import ImageModel
    from hordenode.config import EngineSettings
    from hordenode.engine.image.pipeline import ImagePipeline
    from hordenode.engine.jobs import ImageJob
    from hordenode.engine.runtime import Binding, Runtime

    settings = EngineSettings(threads=threads, providers=(device,))
    pipeline = ImagePipeline(ImageModel(name="bench", path=added(folder)), Runtime(settings))
    inside.clear()
    plain = Binding._execute

    def timed(self: Binding) -> None:
        started = time.perf_counter()
        plain(self)
        if self._session.file.parent.name == "unet":
            inside.append(time.perf_counter() - started)

    Binding._execute = timed  # type: ignore[method-assign]

    def draw(steps: int) -> list[Moment]:
        moments: list[Moment] = []
        job = ImageJob("job", "bench", PROMPT, width=size, height=size, steps=steps, cfg_scale=SCALE, sampler="DDIM")
        job = replace(job, karras=False, seeds=tuple(range(batch)))
        inside.clear()
        pipeline.draw(job, lambda progress: moments.append(moment()))
        return moments

    return draw


inside: list[float] = []  # seconds in each run of the UNet


def of_pipeline(pipe: Any, size: int, batch: int) -> Draw:
    pipe.set_progress_bar_config(disable=True)

    def draw(steps: int) -> list[Moment]:
        moments: list[Moment] = []

        def done(pipe: Any, step: int, timestep: Any, values: Any) -> Any:
            moments.append(moment())
            return values

        pipe(
            PROMPT,
            negative_prompt="",
            num_inference_steps=steps,
            guidance_scale=SCALE,
            num_images_per_prompt=batch,
            height=size,
            width=size,
            callback_on_step_end=done,
            output_type="np",
        )
        return moments

    return draw


def diffusers(folder: Path, size: int, threads: int, device: str, batch: int) -> Draw:
    import torch
    from diffusers import DiffusionPipeline

    torch.set_num_threads(threads)
    torch.set_grad_enabled(False)
    kind = torch.float32 if device == "cpu" else torch.float16
    pipe = DiffusionPipeline.from_pretrained(folder / "torch", torch_dtype=kind).to(device)
    if device != "cpu":
        pipe.unet = torch.compile(pipe.unet, mode="reduce-overhead", fullgraph=True)
    return of_pipeline(pipe, size, batch)


def optimum(folder: Path, size: int, threads: int, device: str, batch: int) -> Draw:
    import onnxruntime
    from optimum.onnxruntime import ORTDiffusionPipeline

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    provider = "CPUExecutionProvider" if device == "cpu" else "CUDAExecutionProvider"
    pipe = ORTDiffusionPipeline.from_pretrained(folder / "onnx", session_options=options, provider=provider)
    return of_pipeline(pipe, size, batch)


def child(engine: str, folder: Path, size: int, threads: int, device: str, batch: int) -> None:
    """Load, then for each line with a number of steps draw once and print what it took."""
    draw = {"hordenode": hordenode, "diffusers": diffusers, "optimum": optimum}[engine](
        folder, size, threads, device, batch
    )
    print("ready", flush=True)
    for line in sys.stdin:
        steps = int(line)
        moments = draw(steps)
        taken, spent_cpu = (
            [after[part] - before[part] for before, after in itertools.pairwise(moments)] for part in (0, 1)
        )
        share = (
            batch * steps / len(moments)
        )  # pictures that a step was for: ours draws them one by one where that is best
        runs = list(inside)
        looks = len(runs) // len(moments) if runs else 0
        outside = None
        if looks:
            spent = [sum(runs[i * looks : (i + 1) * looks]) for i in range(1, len(moments))]
            outside = statistics.median((t - s) / t for t, s in zip(taken, spent, strict=True))
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
        found = {"step_s": statistics.median(taken) / share, "cpu_s": statistics.median(spent_cpu) / share}
        print(json.dumps({**found, "peak_mb": peak, "outside": outside}), flush=True)


def run(folder: Path, given: argparse.Namespace) -> None:
    size, threads, pairs, steps, engines = given.size, given.threads, given.pairs, given.steps, given.engines
    children = {}
    for engine in engines:
        command = [
            sys.executable,
            "-m",
            "tests.bench.image_peers",
            "child",
            str(folder),
            "--engine",
            engine,
            "--size",
            str(size),
        ]
        command += ["--device", given.device, "--batch", str(given.batch)]
        children[engine] = subprocess.Popen(
            [*command, "--threads", str(threads)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        ask(children[engine], None)
    found: dict[str, list[dict[str, Any]]] = {engine: [] for engine in engines}
    for index in range(pairs + 1):  # the first round warms up
        for engine in engines:
            answer = json.loads(ask(children[engine], steps))
            if index:
                found[engine].append(answer)
    for process in children.values():
        assert process.stdin is not None
        process.stdin.close()
        process.wait()
    print(
        json.dumps(
            summary(found)
            | {"size": size, "threads": threads, "pairs": pairs, "device": given.device, "batch": given.batch},
            indent=1,
        )
    )


def summary(found: dict[str, list[dict[str, Any]]]) -> dict[str, Any]:
    """Medians, and the medians of the ratios of each round; `cpu`: of processor time, which other programs disturb less."""
    made: dict[str, Any] = {}
    for engine, answers in found.items():
        made[engine] = {key: statistics.median(each[key] for each in answers) for key in ("step_s", "cpu_s")}
        made[engine]["peak_mb"] = answers[-1]["peak_mb"]
        if engine != "hordenode":
            for name, key in (("", "step_s"), (" cpu", "cpu_s")):
                rounds = zip(found["hordenode"], answers, strict=True)
                ratios = [ours[key] / theirs[key] for ours, theirs in rounds]
                made[f"hordenode/{engine}{name}"] = statistics.median(ratios)
    made["outside"] = statistics.median(each["outside"] for each in found["hordenode"])
    return made


def ask(process: subprocess.Popen[str], steps: int | None) -> str:
    assert process.stdin is not None and process.stdout is not None
    if steps is not None:
        process.stdin.write(f"{steps}\n")
        process.stdin.flush()
    for line in process.stdout:
        if line.startswith(("ready", "{")):
            return line
    raise SystemExit("an engine ended before it answered")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("make", "run", "child"))
    parser.add_argument("folder", type=Path)
    parser.add_argument("--engine", choices=ENGINES)
    parser.add_argument("--engines", nargs="+", default=list(ENGINES))
    parser.add_argument("--model", choices=tuple(SIZES), default="sd15")
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--pairs", type=int, default=7)
    parser.add_argument("--steps", type=int, default=4)
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--batch", type=int, default=1)
    given = parser.parse_args()
    if given.what == "make":
        make(given.folder, given.device, given.model)
    elif given.what == "child":
        child(given.engine, given.folder, given.size, given.threads, given.device, given.batch)
    else:
        run(given.folder, given)


if __name__ == "__main__":
    main()
