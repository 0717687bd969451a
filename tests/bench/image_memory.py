"""Peak memory of a picture of Stable Diffusion 1.5's size on the CPU, load and all, and what stays when the model is given up.

    python tests/bench/image_memory.py FOLDER --size 512        FOLDER: of image_peers.py make, or any model's

One JSON object at the end. The goal at 512 px is 7168 MB; a plain loop took 10.8 GB.
"""

from __future__ import annotations

import argparse
import gc
import json
import resource
import time
from pathlib import Path

import psutil

from hordenode.catalog import ImageModel
from hordenode.config import EngineSettings
from hordenode.engine.image.pipeline import ImagePipeline
from hordenode.engine.jobs import ImageJob, Progress
from hordenode.engine.memory import give_back
from hordenode.engine.runtime import Runtime
from tests.bench.image_peers import added


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--size", type=int, default=512)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--steps", type=int, default=2)
    given = parser.parse_args()
    pipeline = ImagePipeline(
        ImageModel(name="bench", path=added(given.folder)),
        Runtime(EngineSettings(threads=given.threads, providers=("cpu",))),
    )
    loaded = peak_mb()
    moments: list[float] = []
    job = ImageJob("job", "bench", "abc", width=given.size, height=given.size, steps=given.steps, sampler="DDIM")

    def done(progress: Progress) -> None:
        moments.append(time.perf_counter())

    pipeline.draw(job, done)
    estimate = pipeline.estimate_mb(job)
    del pipeline
    gc.collect()
    give_back()
    left = psutil.Process().memory_info().rss // 2**20
    found = {"size": given.size, "loaded_mb": loaded, "peak_mb": peak_mb(), "left_mb": left, "estimate_mb": estimate}
    print(json.dumps({**found, "step_s": moments[-1] - moments[-2]}))


def peak_mb() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


if __name__ == "__main__":
    main()
