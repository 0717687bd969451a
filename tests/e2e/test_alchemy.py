"""Alchemy as a newcomer meets it: a node of its own, over HTTP and on the command line, with and without a model."""

from __future__ import annotations

import base64
import io
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from PIL import Image

from hordenode import Node, Settings
from hordenode.config import DataSettings, EngineSettings, WorkerSettings
from hordenode.demo.draw import draw_picture
from hordenode.embedding import GenerationFailed
from tests.contract.schema import validate
from tests.numeric.test_alchemy_models import enlarger
from tests.support.aio import run
from tests.support.node_process import NodeProcess, node_process

ANONYMOUS = {"apikey": "0000000000"}
LIMIT_S = 60.0


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NodeProcess]:
    """With an upscaler that the owner installed."""
    data = tmp_path_factory.mktemp("alchemy") / "data"
    enlarger(data / "upscaler" / "model.onnx", 2)
    (data / "models.toml").write_text('[alchemy."my upscaler"]\npath = "upscaler"\nform = "RealESRGAN_x2plus"\n')
    with node_process(data) as started:
        yield started


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    image = Image.new("RGB", (120, 80), "navy")
    image.paste("orange", (20, 20, 70, 60))
    image.save(tmp_path / "picture.png")
    return tmp_path / "picture.png"


def done(node: NodeProcess, body: dict[str, Any]) -> dict[str, Any]:
    """Ask as clients do until nothing waits."""
    answer = httpx.post(f"{node.url}/api/v2/interrogate/async", json=body, headers=ANONYMOUS)
    validate("POST /interrogate/async", 202, answer.json())
    assert "message" not in answer.json(), answer.text
    until = time.monotonic() + LIMIT_S
    while True:
        status = httpx.get(f"{node.url}/api/v2/interrogate/status/{answer.json()['id']}").json()
        validate("GET /interrogate/status/{id}", 200, status)
        if status["state"] != "processing":
            return {form["form"]: form.get("result", form["state"]) for form in status["forms"]}
        assert time.monotonic() < until, "not done in time"


def test_a_fresh_node_does_forms_without_a_model(node: NodeProcess, picture: Path) -> None:
    forms = [{"name": "palette", "payload": {"colors": 2}}, {"name": "describe"}, {"name": "vectorize"}]
    source = base64.b64encode(picture.read_bytes()).decode()
    made = done(node, {"source_image": source, "forms": forms})
    assert [colour["color"] for colour in made["palette"]["palette"]] == ["#000080", "#ffa500"]
    assert made["describe"]["describe"]["width"] == 120
    assert made["vectorize"]["vectorize"].startswith("<svg")


def test_a_fresh_node_says_what_a_drawing_shows(node: NodeProcess) -> None:
    drawing = next(p for p in map(draw_picture, range(1000)) if [item.kind for item in p.items] == ["cat"])
    out = io.BytesIO()
    Image.fromarray(drawing.pixels).save(out, "PNG")
    source = base64.b64encode(out.getvalue()).decode()
    made = done(node, {"source_image": source, "forms": [{"name": "caption"}]})
    assert f"{drawing.items[0].colour} cat" in made["caption"]["caption"]


def test_a_picture_is_upscaled_by_a_model_of_the_owner(node: NodeProcess, picture: Path) -> None:
    source = base64.b64encode(picture.read_bytes()).decode()
    made = done(node, {"source_image": source, "forms": [{"name": "RealESRGAN_x2plus"}]})
    answer = httpx.get(made["RealESRGAN_x2plus"]["RealESRGAN_x2plus"])
    assert answer.headers["content-type"] == "image/webp" and answer.content[8:12] == b"WEBP"


def test_the_alchemist_is_listed_with_its_forms(node: NodeProcess) -> None:
    (worker,) = httpx.get(f"{node.url}/api/v2/workers?type=interrogation").json()
    assert worker["forms"] == ["RealESRGAN_x2plus", "caption", "describe", "hordenode_x2", "palette", "vectorize"]


def cli(*arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("HORDENODE_")}
    command = [sys.executable, "-m", "hordenode", "alchemy", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, env=environment, check=False)


def test_the_command_prints_or_writes_what_a_form_answers(node: NodeProcess, picture: Path, tmp_path: Path) -> None:
    where = ("--data-dir", str(node.data_dir))
    shown = cli("palette", str(picture), "--option", "colors=1", *where)
    assert shown.returncode == 0, shown.stderr
    assert len(json.loads(shown.stdout)) == 1
    written = cli("vectorize", str(picture), "-o", str(tmp_path / "out.svg"), "--horde", node.url)
    assert written.returncode == 0 and written.stdout == "", written.stderr
    assert (tmp_path / "out.svg").read_text().startswith("<svg")
    larger = cli("RealESRGAN_x2plus", str(picture), "-o", str(tmp_path / "out.png"), *where)
    assert larger.returncode == 0, larger.stderr
    with Image.open(tmp_path / "out.png") as image:
        assert (image.format, image.size) == ("PNG", (240, 160))


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["captoin"], ["there is no form 'captoin'", "did you mean 'caption'?"]),
        (["aesthetic"], ["no worker does 'aesthetic'", "palette", '[alchemy."aesthetic"]']),
        (["GFPGAN"], ["'GFPGAN' makes a picture", "-o FILE"]),
        (["GFPGAN", "-o", "picture.txt"], ["picture.txt: the name must end in .webp, .png or .jpg"]),
        (["palette", "--option", "colors"], ["--option needs the form NAME=VALUE"]),
        (["palette", "-o", "nowhere/at/all.json"], ["there is no folder"]),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_what_cannot_be_done_is_said_before_the_work(
    node: NodeProcess, picture: Path, arguments: list[str], words: list[str]
) -> None:
    refused = cli(arguments[0], str(picture), *arguments[1:], "--data-dir", str(node.data_dir))
    assert refused.returncode == 1 and refused.stdout == ""
    assert [word for word in words if word not in refused.stderr] == [], refused.stderr


def test_a_picture_that_is_not_there_is_named(node: NodeProcess) -> None:
    refused = cli("palette", "no such file.png", "--data-dir", str(node.data_dir))
    assert refused.returncode == 1 and "no such file.png: cannot be read (No such file or directory)" in refused.stderr


def test_a_program_that_embeds_a_node_gets_values_and_pictures(picture: Path, tmp_path: Path) -> None:
    settings = Settings(
        data=DataSettings(dir=str(tmp_path / "data")),
        engine=EngineSettings(backend="fake"),
        worker=WorkerSettings(forms=("palette", "RealESRGAN_x2plus")),
    )

    async def main() -> None:
        async with Node(settings) as node:
            (colour,) = await node.alchemy("palette", picture.read_bytes(), colors=1)
            assert colour["share"] == 1
            larger = await node.alchemy("RealESRGAN_x2plus", picture.read_bytes())
            assert Image.open(io.BytesIO(larger)).size == (240, 160)
            with pytest.raises(GenerationFailed, match=r"needs a model in models\.toml"):
                await node.alchemy("caption", picture.read_bytes())
            with pytest.raises(GenerationFailed, match="did you mean 'caption'"):
                await node.alchemy("captoin", picture.read_bytes())

    run(main())
