"""What a long queue costs: python -m tests.bench.bench_queue [--depths 100 10000 100000] [--kind text]; prints JSON.

For each depth a database with so many waiting requests is made, a node is started on it in a process of its own, and
every operation is timed alone over a socket. `ratio` is its p99 to that with the first depth of the same run.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import tempfile
import time
from pathlib import Path
from typing import Any

import httpx

from hordenode import Node
from hordenode.config import load_settings
from hordenode.coordinator.users import create_user
from tests.support.horde import IMAGE_POP, IMAGE_REQUEST, TEXT_POP, TEXT_REQUEST
from tests.support.node_process import NodeProcess

PER_USER = 500  # waiting requests at most
WARM_UP = 100
TYPICAL = {"image": IMAGE_REQUEST, "text": TEXT_REQUEST}
POPS = {"image": IMAGE_POP, "text": TEXT_POP}
PATHS = {"image": "/generate", "text": "/generate/text"}
TOO_SMALL = {"image": {"max_pixels": 64 * 64}, "text": {"max_length": 16}}
RESULTS = {
    "image": {"generation": "R2", "state": "ok", "seed": 1},
    "text": {"generation": "a text", "state": "ok", "seed": 1},
}


def model_name(number: int) -> str:
    return f"model {number}"


async def fill(folder: Path, kind: str, depth: int, users: int, models: int) -> tuple[list[str], str]:
    """Queue `depth` requests, spread over users and models; the users' keys and the id of the last request."""
    settings = load_settings(flags={"data.dir": str(folder), "engine.enabled": False}).settings
    async with Node(settings) as node:
        http = httpx.AsyncClient(transport=httpx.ASGITransport(app=node.app), base_url="http://node")
        made = [
            await create_user(node.coordinator, f"user {n}", concurrency=PER_USER, kudos_amount=1e6)
            for n in range(users)
        ]
        keys = [key for _, key in made]
        gate, ids = asyncio.Semaphore(32), [""] * depth

        async def post(n: int) -> None:
            async with gate:
                body = request(kind, n, models)
                answer = await http.post(f"/api/v2{PATHS[kind]}/async", json=body, headers={"apikey": keys[n % users]})
                ids[n] = answer.raise_for_status().json()["id"]

        await asyncio.gather(*(post(n) for n in range(depth - 1)))
        await post(depth - 1)
        await http.aclose()
        return keys, ids[-1]


def request(kind: str, n: int, models: int) -> dict[str, Any]:
    return {**TYPICAL[kind], "prompt": f"a robot number {n}", "models": [model_name(n % models)]}


class Timings:
    """Milliseconds per operation."""

    def __init__(self, http: httpx.Client) -> None:
        self.http, self.taken = http, dict[str, list[float]]()

    def call(self, name: str, method: str, path: str, key: str, body: Any = None) -> Any:
        begun = time.perf_counter()
        answer = self.http.request(method, f"/api/v2{path}", headers={"apikey": key}, json=body)
        self.taken.setdefault(name, []).append((time.perf_counter() - begun) * 1000)
        assert answer.is_success, f"{name}: {answer.status_code} {answer.text[:300]}"
        return answer.json()

    def report(self) -> dict[str, dict[str, float]]:
        return {name: figures(taken[WARM_UP:]) for name, taken in self.taken.items()}


def figures(taken: list[float]) -> dict[str, float]:
    taken = sorted(taken)
    return {
        "n": len(taken),
        "p50": round(taken[len(taken) // 2], 3),
        "p99": round(taken[int(len(taken) * 0.99)], 3),
        "max": round(taken[-1], 3),
    }


class Operations:
    """One of each operation, with the queue as long after it as before."""

    def __init__(self, timings: Timings, kind: str, keys: list[str], owner: str, models: int) -> None:
        self.timings, self.kind, self.keys, self.owner, self.models = timings, kind, keys, owner, models
        self.path = PATHS[kind]
        self.worker = POPS[kind] | {"models": [model_name(n) for n in range(models)]}
        self.small = self.worker | TOO_SMALL[kind] | {"name": "too small"}

    def one_round(self, n: int, last: str) -> None:
        call, path = self.timings.call, self.path
        job = call("pop", "POST", f"{path}/pop", self.owner, self.worker)
        assert job["id"], f"there was a job: {job}"
        call("submit", "POST", f"{path}/submit", self.owner, {"id": job["id"], **RESULTS[self.kind]})
        nothing = call("pop, nothing for it", "POST", f"{path}/pop", self.owner, self.small)
        assert not nothing["id"], f"there was no job: {nothing}"
        call("async", "POST", f"{path}/async", self.keys[n % len(self.keys)], request(self.kind, n, self.models))
        call("check of the last", "GET", f"{path}/{'check' if self.kind == 'image' else 'status'}/{last}", self.owner)
        call("performance", "GET", "/status/performance", self.owner)


def measure(node: NodeProcess, kind: str, keys: list[str], last: str, models: int, samples: int) -> dict[str, Any]:
    with httpx.Client(base_url=node.url) as http:
        timings = Timings(http)
        operations = Operations(timings, kind, keys, node.owner_key, models)
        for n in range(WARM_UP + samples):
            operations.one_round(n, last)
        return timings.report()


def resident_mb(node: NodeProcess) -> float:
    status = Path(f"/proc/{node.process.pid}/status").read_text()
    return int(next(line for line in status.splitlines() if line.startswith("VmRSS")).split()[1]) / 1024


def run(kind: str, depth: int, samples: int, wanted_users: int, models: int) -> dict[str, Any]:
    users = max(wanted_users if depth >= 10_000 else 1, depth // (PER_USER - 100) + 1)
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "data"
        keys, last = asyncio.run(fill(folder, kind, depth, users, models))
        begun = time.perf_counter()
        node = NodeProcess(folder, "--no-engine")
        ready = time.perf_counter() - begun
        try:
            report = measure(node, kind, keys, last, models, samples)
            return {
                "depth": depth,
                "users": users,
                "ready_s": round(ready, 2),
                "resident_mb": round(resident_mb(node), 1),
                "ms": report,
            }
        finally:
            node.kill()


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition(":")[0])
    parser.add_argument("--depths", type=int, nargs="+", default=[100, 10_000, 100_000])
    parser.add_argument("--kind", choices=sorted(PATHS), default="text")
    parser.add_argument("--samples", type=int, default=500)
    parser.add_argument("--users", type=int, default=1000)
    parser.add_argument("--models", type=int, default=50)
    options = parser.parse_args()
    runs = [run(options.kind, depth, options.samples, options.users, options.models) for depth in options.depths]
    for entry in runs:
        for name, taken in entry["ms"].items():
            taken["ratio"] = round(taken["p99"] / runs[0]["ms"][name]["p99"], 2)
    print(json.dumps(runs, indent=1))


if __name__ == "__main__":
    main()
