"""What unmodified workers of other programs put on the wire, written from worker_protocol.md and clients.md alone.

They share no code with the product: http.client on a real socket, so that each header is what the program sends.
"""

from __future__ import annotations

import http.client
import io
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from PIL import Image

SDK_AGENT = "horde_sdk:0.18.1:https://github.com/haidra-org/horde-sdk"
REGEN = "AI Horde Worker reGen:10.1.2:https://github.com/Haidra-Org/horde-worker-reGen"
BRIDGE = "AI Horde Worker:24:https://github.com/db0/AI-Horde-Worker"
KOBOLD = "KoboldCppEmbedWorker:2:https://github.com/LostRuins/koboldcpp"
UNET_PIXELS = 8 * 64 * 64  # of reGen's max_power
MOST_SOURCE = 5 * 2**20  # that the alchemist takes


@dataclass(frozen=True, slots=True)
class Heard:
    """An answer: its JSON, which every answer must have but those of files."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        assert self.headers["content-type"].startswith("application/json"), self.headers
        return json.loads(self.body)


def send(method: str, url: str, headers: Mapping[str, str], body: bytes | None = None) -> Heard:
    """One request with these headers and no others but Host, Accept-Encoding and Content-Length; the URL as it is."""
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.netloc, timeout=10)
    try:
        connection.request(method, f"{parts.path}?{parts.query}" if parts.query else parts.path, body, dict(headers))
        answer = connection.getresponse()
        found = {name.lower(): value for name, value in answer.getheaders()}
        return Heard(answer.status, found, answer.read())
    finally:
        connection.close()


def upload(url: str, picture: bytes) -> None:
    """PUT of the raw bytes: no key, no content type, the URL exactly as given; 200 exactly."""
    assert send("PUT", url, {}, picture).status == 200


def webp(width: int, height: int) -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (width, height), (180, 40, 40)).save(out, "WEBP", quality=95)
    return out.getvalue()


class Stop(Exception):
    """What the program does not go on after; the text is its reason."""


@dataclass(slots=True)
class ReGen:
    """horde-worker-reGen through horde-sdk: the base ends with /api/, errors are recognised by their messages."""

    horde_url: str
    key: str
    name: str
    models: tuple[str, ...]
    skipped: list[Any] = field(default_factory=list)

    def call(self, method: str, path: str, body: Any = None) -> Heard:
        """Paths are joined to the base; nulls are dropped; the answer is JSON."""
        assert self.horde_url.endswith("/api/")
        headers = {"apikey": self.key, "accept": "application/json", "Client-Agent": SDK_AGENT}
        if body is None:
            return send(method, f"{self.horde_url}v2/{path}", headers)
        given = {name: value for name, value in body.items() if value is not None}
        headers["Content-Type"] = "application/json"
        return send(method, f"{self.horde_url}v2/{path}", headers, json.dumps(given).encode())

    def offer(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "models": list(self.models),
            "max_pixels": 32 * UNET_PIXELS,
            "nsfw": True,
            "blacklist": [],
            "priority_usernames": [],
            "threads": 1,
            "amount": 2,
            "require_upfront_kudos": False,
            "allow_img2img": True,
            "allow_painting": True,
            "allow_unsafe_ipaddr": True,
            "allow_post_processing": True,
            "allow_controlnet": False,
            "allow_sdxl_controlnet": False,
            "allow_lora": True,
            "extra_slow_worker": False,
            "limit_max_steps": False,
            "bridge_agent": REGEN,
        }

    def look_at_kudos(self) -> Any:
        """Every 15 seconds."""
        user = self.call("GET", "find_user").json
        assert {"username", "kudos", "kudos_details", "worker_ids"} <= set(user)
        return user

    def pop(self, **changes: Any) -> Any:
        """A job, or None; Stop for what it recognises."""
        answer = self.call("POST", "generate/pop", self.offer() | changes)
        job = answer.json
        if answer.status != 200:
            message = job["message"].lower()
            for words in ("maintenance mode", "we cannot accept workers serving", "wrong credentials"):
                if words in message:
                    raise Stop(words)
            raise Stop(job["message"])
        assert isinstance(job["payload"], dict) and isinstance(job["ids"], list) and isinstance(job["skipped"], dict)
        assert isinstance(job["source_processing"], str)
        if job["id"] is None:
            self.skipped.append(job["skipped"])
            return None
        payload = job["payload"]
        assert job["r2_upload"] and len(job["r2_uploads"]) == len(job["ids"]) and payload["seed"].isdecimal()
        assert payload["ddim_steps"] >= 1 and payload["n_iter"] == len(job["ids"])
        return job

    def work(self, job: Any) -> list[float]:
        """The batch: for each id the upload, then the submit; the rewards."""
        rewards = []
        several = len(job["ids"]) > 1
        for position, (job_id, link) in enumerate(zip(job["ids"], job["r2_uploads"], strict=True)):
            upload(link, webp(job["payload"]["width"], job["payload"]["height"]))
            metadata = [{"type": "batch_index", "value": "see_ref", "ref": str(position)}] if several else []
            seed = int(job["payload"]["seed"])
            body = {"id": job_id, "generation": "R2", "state": "ok", "seed": seed, "gen_metadata": metadata}
            rewards.append(float(self.call("POST", "generate/submit", body).json["reward"]))
        return rewards

    def fault(self, job: Any) -> float:
        """A failed batch: one submit, for the first id."""
        body = {"id": job["ids"][0], "generation": "faulted", "state": "faulted", "seed": 0}
        return float(self.call("POST", "generate/submit", body).json["reward"])

    def submit_again(self, job_id: str) -> str:
        """What it makes of the refusal of a submit; anything else it tries ten times."""
        body = {"id": job_id, "generation": "R2", "state": "ok", "seed": 1, "gen_metadata": []}
        message = self.call("POST", "generate/submit", body).json["message"]
        if "Processing Job with ID" in message and "does not exist" in message:
            return "gone"
        known = [words for words in ("already submitted", "Please check your worker speed") if words in message]
        return known[0] if known else "retry"


@dataclass(slots=True)
class Bridge:
    """AI-Horde-Worker: the base is a host, the only header of its own is apikey, it looks at statuses and `message`."""

    horde_url: str
    key: str
    name: str
    skipped: list[Any] = field(default_factory=list)

    def post(self, path: str, body: Any) -> Heard:
        headers = {"apikey": self.key, "Content-Type": "application/json"}  # what posting JSON brings
        return send("POST", f"{self.horde_url}/api/v2/{path}", headers, json.dumps(body).encode())

    def popped(self, path: str, offer: Any) -> Any:
        """The answer; Stop with its message, which must be there, when it is not ok."""
        answer = self.post(path, offer)
        if answer.status != 200:
            raise Stop(answer.json["message"])
        return answer.json

    def submitted(self, path: str, body: Any) -> float | str:
        """The reward, or what it does about a refusal."""
        answer = self.post(path, body)
        if answer.status in (400, 404):
            return "drop"
        return float(answer.json["reward"]) if answer.status == 200 else "retry"


class Scribe(Bridge):
    """Its worker of texts: hands the payload on to KoboldAI."""

    def pop(self, model: str) -> Any:
        offer = {
            "name": self.name,
            "models": [model],
            "max_length": 512,
            "max_context_length": 2048,
            "softprompts": [],
            "nsfw": True,
            "threads": 1,
            "priority_usernames": [],
            "bridge_agent": BRIDGE,
            "bridge_version": 24,
        }
        job = self.popped("generate/text/pop", offer)
        if not job["id"]:
            self.skipped.append(job["skipped"])
            return None
        job["payload"]["max_length"], job["payload"]["max_context_length"], job["payload"]["prompt"]
        return job

    def submit(self, job: Any, text: str) -> float | str:
        body = {"id": job["id"], "generation": text, "state": "ok", "seed": 0}
        return self.submitted("generate/text/submit", body)

    def fault(self, job: Any) -> float | str:
        body = {"id": job["id"], "generation": "faulted", "state": "faulted", "seed": -1}
        return self.submitted("generate/text/submit", body)


class Alchemist(Bridge):
    """Its worker of alchemy: measures a source by HEAD before it takes it."""

    def pop(self, *forms: str) -> list[Any]:
        offer = {
            "name": self.name,
            "forms": list(forms),
            "amount": 5,
            "threads": 1,
            "max_tiles": 80,
            "priority_usernames": [],
            "bridge_agent": BRIDGE,
            "bridge_version": 24,
        }
        answer = self.popped("interrogate/pop", offer)
        if not answer["forms"]:
            self.skipped.append(answer["skipped"])
        return answer["forms"] or []

    def source(self, form: Any) -> bytes:
        measured = send("HEAD", form["source_image"], {})
        assert measured.status == 200 and 0 < int(measured.headers["content-length"]) <= MOST_SOURCE
        found = send("GET", form["source_image"], {})
        assert found.status == 200
        return found.body

    def submit(self, form: Any, result: Any) -> float | str:
        body = {"id": form["id"], "result": {form["form"]: result}, "state": "done"}
        return self.submitted("interrogate/submit", body)

    def fault(self, form: Any) -> float | str:
        return self.submitted("interrogate/submit", {"id": form["id"], "result": {}, "state": "faulted"})


@dataclass(slots=True)
class KoboldCpp:
    """KoboldCpp's embedded worker: anything but 2xx is a failure; no nsfw, no amount."""

    horde_url: str
    key: str
    name: str
    model: str
    skipped: list[Any] = field(default_factory=list)

    def post(self, path: str, body: Any) -> Heard:
        headers = {"apikey": self.key, "Client-Agent": KOBOLD, "Content-Type": "application/json"}
        return send("POST", f"{self.horde_url}/api/v2/{path}", headers, json.dumps(body).encode())

    def pop(self) -> Any:
        offer = {
            "name": self.name,
            "models": [self.model],
            "max_length": 256,
            "max_context_length": 2048,
            "priority_usernames": [],
            "softprompts": [],
            "bridge_agent": KOBOLD,
        }
        answer = self.post("generate/text/pop", offer)
        if not 200 <= answer.status < 300:
            raise Stop(str(answer.status))
        job = answer.json
        if job["id"] is None:
            self.skipped.append(job["skipped"])
            return None
        return job

    def submit(self, job: Any, text: str) -> float:
        answer = self.post("generate/text/submit", {"id": job["id"], "generation": text})
        if not 200 <= answer.status < 300:
            raise Stop(str(answer.status))
        reward = answer.json["reward"]
        assert type(reward) is float
        return reward
