"""What `hordenode generate image` refuses before anything starts: in one line that says what would do."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from hordenode.cli import main
from hordenode.embedding import ImageAsk
from hordenode.protocol.errors import ValidationFailed


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--size", "banana"), "--size needs the form WIDTHxHEIGHT, as in 512x512; 'banana' is not."),
        (("--size", "100x64"), "--size 100x64: width and height must be multiples of 64 between 64 and 3072."),
        (("--sampler", "euler"), "--sampler euler: it must be one of k_lms, "),
        (("-o", "picture.gif"), "picture.gif: the name must end in .webp, .png or .jpg."),
        (("-o", "nowhere/picture.png"), "nowhere/picture.png: there is no folder "),
    ],
)
def test_an_option_that_cannot_be_is_refused(tmp_path: Path, words: tuple[str, ...], said: str) -> None:
    line = ["generate", "image", "a cat", "-o", str(tmp_path / "a.png"), "--data-dir", str(tmp_path / "data"), *words]
    result = CliRunner().invoke(main, line)
    assert result.exit_code == 1
    assert result.stderr.startswith(f"error: {said}") and result.stderr.count("\n") == 1
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize("wrong", [{"sampler": "euler"}, {"width": 100}, {"steps": 0}])
def test_a_request_from_python_that_no_horde_takes_is_refused(wrong: dict[str, str | int]) -> None:
    assert ImageAsk("a cat").request().prompt == "a cat"
    with pytest.raises(ValidationFailed):
        ImageAsk("a cat", **wrong).request()  # type: ignore[arg-type]
