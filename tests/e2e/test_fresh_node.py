"""A node as a newcomer meets it: started, asked over HTTP, stopped; a real model makes the picture and the text."""

from __future__ import annotations

import base64
import io
import os
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import psutil
import pytest
from PIL import Image

from hordenode.engine.image.samplers import SAMPLERS
from tests.contract.schema import validate
from tests.support.node_process import NodeProcess, node_process

ANONYMOUS = {"apikey": "0000000000"}
POLL = {"image": "/generate/check/", "text": "/generate/text/status/"}
LIMIT_S = 60.0


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NodeProcess]:
    with node_process(tmp_path_factory.mktemp("fresh") / "data") as started:
        yield started


def call(node: NodeProcess, method: str, path: str, body: Any = None, key: str | None = None) -> Any:
    answer = httpx.request(
        method, f"{node.url}/api/v2{path}", json=body, headers=ANONYMOUS if key is None else {"apikey": key}, timeout=30
    )
    assert answer.status_code in (200, 202), answer.text
    return answer.json()


def wait_done(node: NodeProcess, kind: str, request_id: str) -> None:
    """Ask as clients do until the request is done."""
    until = time.monotonic() + LIMIT_S
    while not call(node, "GET", POLL[kind] + request_id)["done"]:
        assert time.monotonic() < until, "not done in time"


def draw(node: NodeProcess, body: dict[str, Any], key: str | None = None) -> tuple[dict[str, Any], bytes]:
    accepted = call(node, "POST", "/generate/async", body, key)
    wait_done(node, "image", accepted["id"])
    status = call(node, "GET", f"/generate/status/{accepted['id']}")
    validate("GET /generate/status/{id}", 200, status)
    assert not status["faulted"], status
    item = status["generations"][0]
    return item, httpx.get(item["img"]).content


def test_an_anonymous_client_gets_a_picture_of_a_real_model(node: NodeProcess) -> None:
    body = {
        "prompt": "a red circle above a blue square",
        "params": {"width": 256, "height": 256, "steps": 20, "seed": "5"},
    }
    item, data = draw(node, body)
    picture = Image.open(io.BytesIO(data))
    assert (picture.format, picture.size, item["model"], item["seed"]) == ("WEBP", (256, 256), "hordenode demo", "5")
    assert draw(node, body)[1] == data, "same seed, same bytes"


def test_a_default_request_and_a_wide_one_are_served(node: NodeProcess) -> None:
    _, data = draw(node, {"prompt": "a boat on the sea", "params": {"steps": 2}}, node.owner_key)
    assert Image.open(io.BytesIO(data)).size == (512, 512)
    wide = {
        "prompt": "a boat ### a house",
        "params": {"steps": 2, "width": 512, "height": 192, "n": 2, "karras": False},
    }
    _, data = draw(node, wide)
    assert Image.open(io.BytesIO(data)).size == (512, 192)


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_each_sampler_draws(node: NodeProcess, sampler: str) -> None:
    _, data = draw(
        node, {"prompt": "a tree", "params": {"steps": 3, "width": 128, "height": 128, "sampler_name": sampler}}
    )
    assert Image.open(io.BytesIO(data)).size == (128, 128)


def picture(left: str, right: str, size: int = 128) -> Image.Image:
    made = Image.new("RGB", (size, size), left)
    made.paste(right, (size // 2, 0, size, size))
    return made


def base64_png(image: Image.Image) -> str:
    out = io.BytesIO()
    image.save(out, "PNG")
    return base64.b64encode(out.getvalue()).decode()


def colours(data: bytes) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    """[h, w, 3]."""
    return np.asarray(Image.open(io.BytesIO(data)).convert("RGB")).astype(np.float64)


SMALL = {"steps": 10, "width": 128, "height": 128, "seed": "3"}


def test_a_source_image_shows_in_what_is_drawn_from_it(node: NodeProcess) -> None:
    _, data = draw(node, {"prompt": "a red circle above a blue square", "params": SMALL})
    source = Image.open(io.BytesIO(data)).convert("RGB")
    body = {"prompt": "a green tree at night", "source_image": base64_png(source)}
    near, far = (
        np.abs(colours(draw(node, body | {"params": SMALL | {"denoising_strength": strength}})[1]) - colours(data))
        for strength in (0.2, 1.0)
    )
    assert near.mean() < 12
    assert near.mean() < far.mean() / 2


def test_inpainting_leaves_what_the_mask_does_not_name(node: NodeProcess) -> None:
    body = {
        "prompt": "a green tree",
        "models": ["hordenode demo"],
        "params": SMALL,
        "source_image": base64_png(picture("white", "white")),
        "source_mask": base64_png(picture("black", "white")),
        "source_processing": "inpainting",
    }
    drawn = colours(draw(node, body)[1])
    assert np.abs(drawn[:, :56] - 255).max() < 30  # WebP, twice
    assert drawn[:, 72:].std() > 20


def test_a_damaged_source_ends_one_request_and_not_the_node(node: NodeProcess) -> None:
    body = {"prompt": "a tree", "params": SMALL, "source_image": base64.b64encode(b"no picture").decode()}
    answer = httpx.post(f"{node.url}/api/v2/generate/async", json=body, headers=ANONYMOUS)
    assert answer.status_code == 400 and answer.json()["rc"] == "ImageValidationFailed"
    draw(node, {"prompt": "a tree", "params": SMALL})


@pytest.mark.parametrize("option", [{"clip_skip": 2}, {"hires_fix": True}, {"tiling": True}])
def test_an_option_of_a_request_reaches_the_engine(node: NodeProcess, option: dict[str, object]) -> None:
    _, plain = draw(node, {"prompt": "a red house", "params": SMALL})
    _, changed = draw(node, {"prompt": "a red house", "params": SMALL | option})
    assert (colours(plain) == colours(changed)).all() == ("hires_fix" in option)  # the demo model has one size only


def test_a_picture_says_how_it_was_made(node: NodeProcess) -> None:
    body = {"prompt": "a red house, by the sea ### fog", "params": SMALL | {"sampler_name": "k_heun", "cfg_scale": 4.5}}
    _, data = draw(node, body)
    comment = Image.open(io.BytesIO(data)).getexif().get_ifd(0x8769)[0x9286]
    assert comment.startswith(b"UNICODE\0")
    prompt, negative, settings = comment[8:].decode("utf-16-be").split("\n")
    assert (prompt, negative) == ("a red house, by the sea", "Negative prompt: fog")
    assert settings.startswith(
        "Steps: 10, Sampler: Heun, Schedule type: Karras, CFG scale: 4.5, Seed: 3, Size: 128x128"
    )
    assert "Model: hordenode demo" in settings


def test_what_cannot_be_checked_is_not_claimed(node: NodeProcess) -> None:
    body = {"prompt": "a red house", "params": SMALL, "nsfw": False, "censor_nsfw": True}
    item, _ = draw(node, body)
    remarks = item["gen_metadata"]
    assert [(each["type"], "no safety model" in each["ref"]) for each in remarks] == [("information", True)]
    assert not item["censored"]


def test_an_anonymous_client_gets_a_text_of_a_real_model(node: NodeProcess) -> None:
    body = {"prompt": "User: What is kudos?\nAssistant:", "params": {"max_length": 40, "temperature": 0.0}}
    accepted = call(node, "POST", "/generate/text/async", body)
    wait_done(node, "text", accepted["id"])
    status = call(node, "GET", f"/generate/text/status/{accepted['id']}")
    validate("GET /generate/text/status/{id}", 200, status)
    assert "kudos" in status["generations"][0]["text"].lower()


def test_what_the_engine_lacks_is_said_at_once(node: NodeProcess) -> None:
    body = {"prompt": "a tree", "params": {"post_processing": ["GFPGAN"]}}
    accepted = call(node, "POST", "/generate/async", body)
    assert accepted["warnings"][0]["code"] == "NoAvailableWorker"
    assert not call(node, "GET", f"/generate/check/{accepted['id']}")["is_possible"]
    call(node, "DELETE", f"/generate/status/{accepted['id']}")


def test_the_owner_key_is_private_and_works(node: NodeProcess) -> None:
    if os.name != "nt":
        assert stat.S_IMODE((node.data_dir / "owner.key").stat().st_mode) == 0o600
    owner = call(node, "GET", "/find_user", key=node.owner_key)
    assert owner["id"] == 1 and owner["moderator"] and owner["trusted"]


def test_the_node_talks_to_nobody_else(node: NodeProcess) -> None:
    draw(node, {"prompt": "a red house", "params": {"steps": 2}})
    others = {tuple(c.raddr)[:1] for c in psutil.Process(node.process.pid).net_connections("inet")}
    assert others <= {(), ("127.0.0.1",)}  # () is a socket that only listens


def test_user_create_works_beside_a_running_node(node: NodeProcess) -> None:
    made = cli("user", "create", "newcomer", "--kudos", "50", "--data-dir", str(node.data_dir))
    key = made.stdout.splitlines()[-1]
    assert len(key) == 22
    assert call(node, "GET", "/find_user", key=key)["kudos"] == 50
    assert key not in Path(node.log.name).read_text()


def test_a_second_node_on_the_same_data_is_refused(node: NodeProcess) -> None:
    refused = cli("up", "--port", "0", "--data-dir", str(node.data_dir))
    assert refused.returncode == 1 and str(node.process.pid) in refused.stderr and "--data-dir" in refused.stderr


def test_a_port_in_use_is_refused_with_what_to_do(node: NodeProcess, tmp_path: Path) -> None:
    port = node.url.rpartition(":")[2]
    refused = cli("up", "--no-engine", "--port", port, "--data-dir", str(tmp_path / "other"))
    assert refused.returncode == 1 and "--port" in refused.stderr and "Traceback" not in refused.stderr


def test_generate_uses_the_running_node(node: NodeProcess, tmp_path: Path) -> None:
    target = tmp_path / "tree.png"
    made = cli(
        "generate",
        "image",
        "a tree",
        "-o",
        str(target),
        "--size",
        "128x128",
        "--steps",
        "3",
        "--data-dir",
        str(node.data_dir),
    )
    assert made.returncode == 0, made.stderr
    assert "starting a node" not in made.stderr
    assert made.stderr.count("hordenode demo knows circles, squares") == 1
    with Image.open(target) as picture:
        assert picture.size == (128, 128)
    wrong = cli("generate", "text", "x", "--model", "hordenode dem", "--horde", node.url)
    assert wrong.returncode == 1 and "hordenode demo" in wrong.stderr


def test_sigterm_stops_in_order_and_nothing_is_left_locked(tmp_path: Path) -> None:
    data = tmp_path / "data"
    with node_process(data, "--no-engine") as first:
        accepted = call(first, "POST", "/generate/text/async", {"prompt": "wait for me"})
        assert first.terminate() == 0
    with node_process(data, "--no-engine") as second:
        assert call(second, "GET", f"/generate/text/status/{accepted['id']}")["waiting"] == 1


def test_a_job_of_the_nodes_own_worker_returns_to_the_queue_after_kill_9(tmp_path: Path) -> None:
    data = tmp_path / "data"
    with node_process(data) as first:
        body = {"prompt": "a tree", "params": {"steps": 500, "width": 256, "height": 256}}
        accepted = call(first, "POST", "/generate/async", body)
        until = time.monotonic() + LIMIT_S
        while not call(first, "GET", f"/generate/check/{accepted['id']}")["processing"]:
            assert time.monotonic() < until
        first.kill()
    with node_process(data, "--no-engine") as second:
        check = call(second, "GET", f"/generate/check/{accepted['id']}")
        assert (check["waiting"], check["processing"], check["done"]) == (1, 0, False)


def cli(*arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("HORDENODE_")}
    return subprocess.run(
        [sys.executable, "-m", "hordenode", *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        env=environment,
        check=False,
    )
