"""Who asks is answered, who begins a story is gone on with, and who says which gets it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from hordenode.cli.chat import is_answered, is_said
from hordenode.cli.common import Failure

DEMO = "hordenode demo"


@pytest.mark.parametrize(
    ("prompt", "said"),
    [
        ("How do I earn kudos?", True),
        ("  was ist das？ ", True),
        ("Tell me a story about Ada.", True),
        ("Please, be brief", True),
        ("Once upon a time", False),
        ("When I was young, we had no horde.", False),
        ("User: What is kudos?\nAssistant:", False),
        ("", False),
    ],
)
def test_questions_and_requests_are_said(prompt: str, said: bool) -> None:
    assert is_said(prompt) is said


def add(data_dir: Path, name: str, config: dict[str, str]) -> None:
    folder = data_dir / name
    folder.mkdir()
    (folder / "tokenizer_config.json").write_text(json.dumps(config), encoding="utf-8")
    with (data_dir / "models.toml").open("a", encoding="utf-8") as file:
        file.write(f'[text."{name}"]\npath = "{name}"\n')


def test_only_models_with_a_template_answer(tmp_path: Path) -> None:
    assert is_answered("Why?", tmp_path, None, None), "the demo model has one"
    add(tmp_path, "base", {})
    add(tmp_path, "talks", {"chat_template": "{{ messages[0].content }}"})
    assert is_answered("Why?", tmp_path, "talks", None) and is_answered("Why?", tmp_path, DEMO, None)
    assert not is_answered("Why?", tmp_path, "base", None)
    assert not is_answered("Why?", tmp_path, None, None), "the base model may get it"
    assert not is_answered("Why?", tmp_path, "a model elsewhere", None)


def test_what_the_user_says_counts(tmp_path: Path) -> None:
    add(tmp_path, "base", {})
    assert is_answered("Once upon a time", tmp_path, DEMO, True)
    assert is_answered("Once upon a time", tmp_path, "a model elsewhere", True)
    assert not is_answered("Why?", tmp_path, DEMO, False)
    with pytest.raises(Failure, match="'base' has no chat template"):
        is_answered("Why?", tmp_path, "base", True)
