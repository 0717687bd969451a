"""Texts of a given form, and how likely their tokens were, with a real graph."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import pytest

from hordenode.catalog import TextModel
from hordenode.config import EngineSettings
from hordenode.engine.backends import Failure, Outcome
from hordenode.engine.jobs import Constraint, Progress, TextJob, TextResult, UnsupportedJob
from hordenode.engine.runtime import Runtime
from hordenode.engine.text.pipeline import TextPipeline

FOLDER = Path(__file__).parent / "goldens" / "text"
RUNTIME = Runtime(EngineSettings(threads=1, providers=("cpu",)))
JOB = TextJob("job", "tiny", "the quick brown fox", max_length=200, max_context_length=512, seed=5, temperature=1.0)
SCHEMA = {
    "type": "object",
    "properties": {
        "name": {"type": "string", "maxLength": 8},
        "age": {"type": "integer", "minimum": 0, "maximum": 120},
        "tags": {"type": "array", "items": {"enum": ["fox", "dog"]}, "maxItems": 2},
    },
    "required": ["name", "age", "tags"],
    "additionalProperties": False,
}


DEAR = "start: A\nA: " + " & ".join(f"/(.*[a-m].{{{size}}})*[n-z ].*/" for size in range(3, 14))
AMBIGUOUS = 'start: e\ne: e e e | e e | /[a-z ]/ | ""'


@pytest.fixture(scope="module")
def tiny() -> TextPipeline:
    return TextPipeline(TextModel(path=FOLDER, context=512, max_batch=4), RUNTIME)


def serve(pipeline: TextPipeline, *jobs: TextJob) -> dict[str, Outcome]:
    for each in jobs:
        pipeline.begin(each)
    done: dict[str, Outcome] = {}
    while pipeline.batch.busy:
        done |= {each.id: each for each in pipeline.batch.step() if not isinstance(each, Progress)}
    return done


def text_of(outcome: Outcome) -> str:
    assert isinstance(outcome, TextResult), outcome
    return outcome.text


def constrained(number: int, kind: str, definition: Any, **settings: Any) -> TextJob:
    return replace(JOB, id=str(number), seed=number, constraint=Constraint(kind, definition), **settings)


@pytest.mark.parametrize("settings", [{}, {"temperature": 0.0}, {"top_k": 3, "rep_pen": 1.3}, {"mirostat_tau": 3.0}])
def test_json_of_a_schema(tiny: TextPipeline, settings: dict[str, Any]) -> None:
    done = serve(tiny, *(constrained(seed, "json_schema", json.dumps(SCHEMA), **settings) for seed in range(3)))
    for outcome in done.values():
        assert isinstance(outcome, TextResult)
        jsonschema.validate(json.loads(outcome.text), SCHEMA)
        assert outcome.finish_reason == "stop"


def test_a_regular_expression(tiny: TextPipeline) -> None:
    pattern = r"(fox|dog)-[0-9]{2,4}!"
    done = serve(tiny, *(constrained(seed, "regex", pattern) for seed in range(6)))
    assert all(re.fullmatch(pattern, text_of(outcome)) for outcome in done.values())
    assert len({text_of(outcome) for outcome in done.values()}) > 1


def test_a_grammar(tiny: TextPipeline) -> None:
    grammar = 'start: term ("+" term)*\nterm: /[1-9]/ | "(" start ")"'
    made = text_of(serve(tiny, constrained(1, "grammar", grammar, use_default_badwordsids=True))["1"])
    assert set(made) <= set("123456789+()")


def test_neighbours_do_not_notice(tiny: TextPipeline) -> None:
    free = [replace(JOB, id=f"free {seed}", seed=seed, max_length=30) for seed in range(2)]
    expected = serve(tiny, *free)
    done = serve(tiny, free[0], constrained(1, "regex", "[a-f]{40}"), free[1], constrained(2, "regex", "(fox )+"))
    assert {name: done[name] for name in expected} == expected
    alone = serve(tiny, constrained(1, "regex", "[a-f]{40}"))
    assert done["1"] == alone["1"]


def test_a_length_ends_a_form_too(tiny: TextPipeline) -> None:
    made = serve(tiny, constrained(1, "regex", "a{50}", max_length=10))["1"]
    assert isinstance(made, TextResult)
    assert (set(made.text), made.finish_reason, made.tokens) == ({"a"}, "length", 10)


@pytest.mark.parametrize(
    ("kind", "definition", "said"),
    [
        ("regex", "[a-z", "regular expression cannot be followed.*unclosed"),
        ("grammar", DEAR, "grammar cannot be followed.*fuel"),
        ("json_schema", '{"type": "nothing"}', "JSON schema cannot be followed"),
        ("json_schema", "{", "JSON schema cannot be followed"),
        ("json_schema", "[" * 100_000, "JSON schema cannot be followed"),
        ("json_schema", " " * 300_000, "longer than"),
        ("grammar", "start: missing", "grammar cannot be followed"),
        ("poem", "four lines", "no constraint 'poem'"),
    ],
)
def test_what_means_nothing_is_refused(tiny: TextPipeline, kind: str, definition: str, said: str) -> None:
    with pytest.raises(UnsupportedJob, match=said) as refused:
        tiny.begin(constrained(1, kind, definition))
    assert len(str(refused.value)) < 500
    assert not tiny.batch.busy


def test_a_form_that_becomes_too_dear_ends_one_text_alone(tiny: TextPipeline) -> None:
    """The more is written, the more ways there are to read it."""
    free = replace(JOB, id="free", max_length=40)
    expected = serve(tiny, free)["free"]
    done = serve(tiny, free, constrained(1, "grammar", AMBIGUOUS))
    assert done["free"] == expected
    failed = done["1"]
    assert isinstance(failed, Failure)
    assert "could not be kept in its form: parser error: Too many items" in str(failed.error)


def test_how_likely_each_token_was(tiny: TextPipeline) -> None:
    job = replace(JOB, max_length=12, temperature=0.0, use_default_badwordsids=True, logprobs=3)
    seen: list[Progress] = []
    made = tiny.write(job, seen.append)
    assert len(made.logprobs) == made.tokens == 12
    assert [progress.logprobs for progress in seen if progress.step] == list(made.logprobs)
    for each in made.logprobs:
        ranked = [likely.logprob for likely in each.top]
        assert ranked == sorted(ranked, reverse=True)
        assert len(ranked) == 3
        assert each.chosen in each.top  # the likeliest, or the next where the end is barred
        assert sum(np.exp(ranked)) <= 1 + 1e-9
    assert tiny.write(replace(job, logprobs=None), seen.append) == replace(made, logprobs=())
    assert tiny.write(replace(job, logprobs=0), seen.append).logprobs[0].top == ()


def test_likelihoods_are_those_of_the_model(tiny: TextPipeline) -> None:
    """Of all 300 tokens together they are certainty, whatever sampling makes of them."""
    with pytest.raises(UnsupportedJob, match="logprobs"):
        tiny.begin(replace(JOB, logprobs=21))
    plain = tiny.write(replace(JOB, max_length=1, logprobs=20), lambda progress: None).logprobs[0]
    bent = tiny.write(replace(JOB, max_length=1, logprobs=20, temperature=0.3, top_k=2), lambda progress: None)
    assert bent.logprobs[0].top == plain.top
