"""Conversations become prompts by a model's template; one that means harm is stopped."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from hordenode.catalog import Catalog, TextModel
from hordenode.config import EngineSettings
from hordenode.engine.engine import Engine
from hordenode.engine.jobs import Message, TextJob, TextResult, UnsupportedJob
from hordenode.engine.text.chat import Chats, read_template
from hordenode.engine.text.renderer import Renderer
from tests.support.aio import run

TINY = Path(__file__).parents[2] / "numeric" / "goldens" / "text"
CHATML = (
    "{{ bos_token }}{% for message in messages %}\n"
    "<|{{ message.role }}|>{{ message['content'] | trim }}{{ eos_token }}\n"
    "    {% endfor %}\n"
    "{% if add_generation_prompt %}<|assistant|>{% endif %}"
)
ENDLESS = "{% for i in range(99999) %}{% for j in range(99999) %}{% endfor %}{% endfor %}"
TALK = (Message("system", "Be brief."), Message("user", "  Hello! "))


@pytest.fixture(scope="module")
def renderer() -> Iterator[Renderer]:
    made = Renderer(seconds=20.0, memory_mb=128)
    yield made
    made.close()


def model(folder: Path, **config: object) -> Path:
    """The tiny model with a tokenizer_config.json."""
    folder.mkdir(exist_ok=True)
    for name in ("model.onnx", "genai_config.json", "tokenizer.json"):
        (folder / name).write_bytes((TINY / name).read_bytes())
    (folder / "tokenizer_config.json").write_text(json.dumps(config), encoding="utf-8")
    return folder


def test_a_template_is_read_from_where_models_keep_it(tmp_path: Path) -> None:
    folder = model(tmp_path / "a", chat_template="one", bos_token="<s>", eos_token={"content": "</s>"})
    found = read_template(folder)
    assert found is not None
    assert (found.text, dict(found.tokens)) == ("one", {"bos_token": "<s>", "eos_token": "</s>"})
    (folder / "chat_template.jinja").write_text("own file", encoding="utf-8")
    assert (own := read_template(folder)) is not None and own.text == "own file"
    several = [{"name": "tool_use", "template": "tools"}, {"name": "default", "template": "plain"}]
    named = read_template(model(tmp_path / "b", chat_template=several))
    assert named is not None and named.text == "plain"
    old = model(tmp_path / "c")
    assert read_template(old) is None
    (old / "chat_template.json").write_text(json.dumps({"chat_template": "old"}), encoding="utf-8")
    assert (kept := read_template(old)) is not None and kept.text == "old"
    assert read_template(TINY) is None


def test_a_conversation_is_rendered(tmp_path: Path) -> None:
    folder = model(tmp_path / "m", chat_template=CHATML, bos_token="<s>", eos_token="</s>")
    chats = Chats()
    made = chats.prompt("m", folder, TALK)
    assert made == "<s><|system|>Be brief.</s>\n<|user|>Hello!</s>\n<|assistant|>"
    with pytest.raises(UnsupportedJob, match="'tiny' has no chat template"):
        chats.prompt("tiny", TINY, TALK)
    chats.close()


def test_what_templates_of_models_use(renderer: Renderer) -> None:
    template = (
        "{%- for i in range(9) %}{% if i == 2 %}{% break %}{% endif %}{{ i }}{% endfor -%}"
        "{{ {'a': 'ä<'} | tojson }}{{ strftime_now('%Y') | length }}"
        "{%- set ns = namespace(n=1) %}{% set ns.n = 5 %}{{ ns.n }}"
    )
    assert renderer.render("it", template, {}) == '01{"a": "ä<"}45'
    with pytest.raises(UnsupportedJob, match=r"It refuses this conversation: roles must alternate\."):
        renderer.render("it", "{{ raise_exception('roles must alternate') }}", {})


@pytest.mark.parametrize(
    ("template", "said"),
    [
        ("{{ 'a' * 10 ** 10 }}", "needs too much memory"),
        (
            "{% set x = namespace(s='aaaa') %}{% for i in range(60) %}{% set x.s = x.s ~ x.s %}{% endfor %}",
            "too much memory",
        ),
        ("{{ 'a' * 3000000 }}", "makes more than"),
        ("{% for i in range(99999) %}{{ 'a' * 99 }}{% endfor %}", "makes more than"),
        ("{{ ''.__class__.__mro__[1].__subclasses__() }}", "unsafe"),
        ("{% include '/etc/passwd' %}", "no loader"),
        ("{% if %}", "Expected an expression"),
        ("{{ 1 / 0 }}", "ZeroDivisionError"),
        ("a" * (2**20 + 1), "longer than"),
    ],
)
def test_hostile_templates_are_refused_and_the_next_is_served(renderer: Renderer, template: str, said: str) -> None:
    with pytest.raises(UnsupportedJob, match=said):
        renderer.render("the chat template of 'm'", template, {})
    assert renderer.render("it", "{{ x }}", {"x": 5}) == "5"


def test_one_that_does_not_end_is_stopped() -> None:
    renderer = Renderer(seconds=0.5)
    with pytest.raises(UnsupportedJob, match=r"It did not come to an end in 0\.5 s"):
        renderer.render("it", ENDLESS, {})
    assert renderer.render("it", "{{ x }}", {"x": 5}) == "5"
    renderer.close()


def test_a_conversation_through_the_engine(tmp_path: Path) -> None:
    """Each text is that of its prompt, and a template that hangs holds up nobody."""

    async def story() -> None:
        kind = model(
            tmp_path / "kind", chat_template="{{ bos_token }}{{ messages[-1].content }}", bos_token="<|endoftext|>"
        )
        models = {"kind": kind, "hostile": model(tmp_path / "hostile", chat_template=ENDLESS), "mute": TINY}
        catalog = Catalog(text={name: TextModel(name=name, path=path, context=512) for name, path in models.items()})
        engine = Engine(catalog, EngineSettings(threads=1, providers=("cpu",)))
        await engine.start()
        job = TextJob("1", "kind", "", 20, 512, messages=(Message("user", "the quick brown fox"),))
        hung = asyncio.create_task(engine.generate(replace(job, id="2", model="hostile")))
        plain = await engine.generate(replace(job, id="3", messages=(), prompt="the quick brown fox"))
        assert not hung.done()
        with pytest.raises(UnsupportedJob, match="'hostile' did not come to an end"):
            await hung
        with pytest.raises(UnsupportedJob, match="'mute' has no chat template"):
            await engine.generate(replace(job, id="2", model="mute"))
        made = await engine.generate(job)
        assert isinstance(made, TextResult)
        assert made == replace(plain, id="1")
        await engine.close()

    run(story())
