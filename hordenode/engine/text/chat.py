"""Conversations as prompts, by the template that comes with a model (Hugging Face's chat_template)."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import msgspec

from hordenode.engine.files import read_json
from hordenode.engine.jobs import Message, UnsupportedJob
from hordenode.engine.text.renderer import Renderer

CONFIG, OWN_FILE, OLD_FILE = "tokenizer_config.json", "chat_template.jinja", "chat_template.json"
TOKENS = ("bos_token", "eos_token", "unk_token", "pad_token", "sep_token", "cls_token", "mask_token")


class NamedTemplate(msgspec.Struct, frozen=True):
    name: str
    template: str


class Config(msgspec.Struct, frozen=True):
    """What matters of tokenizer_config.json and of chat_template.json."""

    chat_template: str | list[NamedTemplate] | None = None
    bos_token: Any = None
    eos_token: Any = None
    unk_token: Any = None
    pad_token: Any = None
    sep_token: Any = None
    cls_token: Any = None
    mask_token: Any = None


@dataclass(frozen=True, slots=True)
class Template:
    """Its text, and the special tokens that it may name."""

    text: str
    tokens: tuple[tuple[str, str], ...]


class Chats:
    """Renders the conversations of all models."""

    def __init__(self) -> None:
        self._renderer = Renderer()
        self._template = lru_cache(maxsize=16)(read_template)

    def prompt(self, name: str, folder: Path, messages: tuple[Message, ...]) -> str:
        """The prompt after which the model answers. Raises UnsupportedJob, ModelFileError."""
        template = self._template(folder)
        if template is None:
            raise UnsupportedJob(f"The model '{name}' has no chat template: send the conversation as a prompt.")
        variables = {
            "messages": [{"role": message.role, "content": message.content} for message in messages],
            "add_generation_prompt": True,
            **dict(template.tokens),
        }
        return self._renderer.render(f"the chat template of '{name}'", template.text, variables)

    def close(self) -> None:
        """End the process that renders."""
        self._renderer.close()


def read_template(folder: Path) -> Template | None:
    """The template of a model folder; None without one. Raises ModelFileError."""
    config = read_json(folder / CONFIG, Config) if (folder / CONFIG).is_file() else Config()
    text = _text(folder, config)
    if text is None:
        return None
    given = {name: getattr(config, name) for name in TOKENS}
    contents = {name: each.get("content") if isinstance(each, dict) else each for name, each in given.items()}
    return Template(text, tuple((name, each) for name, each in contents.items() if isinstance(each, str)))


def _text(folder: Path, config: Config) -> str | None:
    if (folder / OWN_FILE).is_file():
        return (folder / OWN_FILE).read_text(encoding="utf-8")
    found = config.chat_template
    if found is None and (folder / OLD_FILE).is_file():
        found = read_json(folder / OLD_FILE, Config).chat_template
    if isinstance(found, list):
        named = {each.name: each.template for each in found}
        return named.get("default")
    return found
