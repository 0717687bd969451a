"""Texts from Python: a beginning is gone on with, a question is answered, and how likely each token was is told."""

from __future__ import annotations

from pathlib import Path

import pytest

from hordenode import Node, Settings
from hordenode.config import DataSettings, EngineSettings, LogSettings, ServerSettings
from hordenode.ops.events import JobProgress
from tests.support.aio import run


def test_a_node_writes_and_answers(tmp_path: Path) -> None:
    settings = Settings(
        server=ServerSettings(port=0),
        data=DataSettings(dir=str(tmp_path)),
        engine=EngineSettings(threads=1, providers=("cpu",)),
        log=LogSettings(level="error"),
    )
    told: list[JobProgress] = []

    async def main() -> None:
        async with Node(settings) as node:
            story = await node.generate_text("Once upon a time", temperature=0.0, max_length=24)
            assert len(story.text.split()) > 8 and story.logprobs == ()
            answer = await node.generate_text(
                "What is kudos?", chat=True, temperature=0.0, logprobs=2, progress=told.append
            )
        raw = "".join(each.text for each in told)
        assert answer.text == raw.lstrip() and "kudos" in answer.text.lower()
        assert [each for event in told for each in event.logprobs] == list(answer.logprobs)
        assert "".join(each.text for each in answer.logprobs).strip() == answer.text.strip()
        for each in answer.logprobs:
            assert (each.token, each.logprob) == pytest.approx((each.top[0].token, each.top[0].logprob)), "greedy"
            assert each.top[1].logprob <= each.logprob <= 0

    run(main())
