"""Which provider generates, and the reason for each that does not, asked of the real runtime."""

from __future__ import annotations

import onnxruntime
import pytest

from hordenode.config import EngineSettings
from hordenode.engine.jobs import EngineError, ProviderReport
from hordenode.engine.providers import PROVIDERS, choose, survey
from hordenode.engine.runtime import Runtime


def test_the_first_that_works_is_used_and_the_others_are_explained() -> None:
    report = Runtime(EngineSettings(providers=tuple(PROVIDERS), threads=1)).report()
    before = list(PROVIDERS)[: list(PROVIDERS).index(report.provider)]
    assert [name for name, _ in report.refused] == before
    assert all(reason for _, reason in report.refused)


def test_a_provider_that_is_not_built_in_says_so() -> None:
    missing = next(name for name, full in PROVIDERS.items() if full not in onnxruntime.get_available_providers())
    choice, report = choose(onnxruntime, (missing, "cpu"), 1)
    assert choice.name == "cpu"
    assert report.refused == ((missing, f"this build of ONNX Runtime has no {PROVIDERS[missing]}"),)


def test_without_any_that_works_the_setting_is_named() -> None:
    missing = next(name for name, full in PROVIDERS.items() if full not in onnxruntime.get_available_providers())
    with pytest.raises(EngineError, match=r"engine\.providers: none of them works here .*Add 'cpu'"):
        choose(onnxruntime, (missing,), 1)
    with pytest.raises(EngineError, match="unknown provider 'gpu'"):
        choose(onnxruntime, ("gpu",), 1)


def test_every_provider_that_is_not_in_use_is_explained() -> None:
    settings = EngineSettings(providers=("cpu",), threads=1)
    found = dict(Runtime(settings).survey())
    assert list(found) == [name for name in PROVIDERS if name != "cpu"]
    missing = next(name for name, full in PROVIDERS.items() if full not in onnxruntime.get_available_providers())
    assert found[missing] == f"this build of ONNX Runtime has no {PROVIDERS[missing]}"


@pytest.mark.parametrize(("wanted", "words"), [(("x", "cpu"), "comes after x in"), (("x",), "is not in")])
def test_a_provider_that_works_but_is_not_wanted_says_so(wanted: tuple[str, ...], words: str) -> None:
    found = dict(survey(onnxruntime, wanted, ProviderReport("x", 1)))
    assert found["cpu"] == f"it works here, but {words} engine.providers"
