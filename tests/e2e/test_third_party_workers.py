"""Workers of other programs serve a node, unmodified: each is set up with what `hordenode worker add` prints, and its
requests are replayed on a real socket (tests/support/replay.py)."""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from click.testing import CliRunner

from hordenode.cli.main import main
from tests.support.horde import RED_PNG
from tests.support.node_process import NodeProcess, node_process
from tests.support.replay import Alchemist, KoboldCpp, ReGen, Scribe, Stop, upload, webp

UNKNOWN = "00000000-0000-4000-8000-000000000000"
NOBODYS_KEY = "x" * 22


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NodeProcess]:
    with node_process(tmp_path_factory.mktemp("third") / "node", "--no-engine") as made:
        yield made


def added(node: NodeProcess, kind: str) -> tuple[str, str]:
    """What to set, as `hordenode worker add` prints it: (address, API key)."""
    said = CliRunner().invoke(main, ["worker", "add", kind, "--data-dir", str(node.data_dir)]).stdout
    address = re.search(r"""(?:horde_url: "|^  )(http://[^\s"]+)""", said, re.MULTILINE)
    key = re.search(r"^API key: (\S{22}) ", said, re.MULTILINE)
    assert address and key, said
    return address[1], key[1]


def ask(node: NodeProcess, path: str, body: dict[str, Any]) -> str:
    answer = httpx.post(f"{node.url}/api/v2/{path}", json=body, headers={"apikey": "0000000000"})
    return str(answer.raise_for_status().json()["id"])


def status(node: NodeProcess, path: str, request_id: str) -> Any:
    return httpx.get(f"{node.url}/api/v2/{path}/status/{request_id}").raise_for_status().json()


def ask_image(node: NodeProcess, model: str, **changes: Any) -> str:
    params = {"width": 256, "height": 256, "steps": 8} | changes.pop("params", {})
    return ask(node, "generate/async", {"prompt": "a red circle", "models": [model], "params": params} | changes)


def ask_text(node: NodeProcess, model: str, **params: Any) -> str:
    return ask(node, "generate/text/async", {"prompt": "Once", "models": [model], "params": params})


def into_maintenance(node: NodeProcess, name: str) -> None:
    worker = httpx.get(f"{node.url}/api/v2/workers/name/{name}").raise_for_status().json()
    change = {"maintenance": True, "maintenance_msg": "gone fishing"}
    owner = {"apikey": node.owner_key}
    httpx.put(f"{node.url}/api/v2/workers/{worker['id']}", json=change, headers=owner).raise_for_status()


def cancel(node: NodeProcess, path: str, request_id: str) -> None:
    httpx.delete(f"{node.url}/api/v2/{path}/status/{request_id}").raise_for_status()


def a_name() -> str:
    """A worker's or model's name that no other test uses: the node is shared."""
    return f"name {uuid.uuid4().hex[:8]}"


@pytest.fixture
def regen(node: NodeProcess) -> ReGen:
    return ReGen(*added(node, "reGen"), a_name(), (a_name(),))


@pytest.fixture
def scribe(node: NodeProcess) -> Scribe:
    return Scribe(*added(node, "scribe"), a_name())


@pytest.fixture
def alchemist(node: NodeProcess) -> Alchemist:
    return Alchemist(*added(node, "alchemist"), a_name())


@pytest.fixture
def kobold(node: NodeProcess) -> KoboldCpp:
    return KoboldCpp(*added(node, "koboldcpp"), a_name(), a_name())


# horde-worker-reGen


def test_regen_serves_a_batch(node: NodeProcess, regen: ReGen) -> None:
    assert regen.look_at_kudos()["worker_ids"] == [] and regen.pop() is None
    request_id = ask_image(node, regen.models[0], params={"n": 2, "seed": "7"})
    job = regen.pop()
    assert len(job["ids"]) == 2 and job["payload"]["seed"] == "7"
    assert all(reward > 0 for reward in regen.work(job))
    made = status(node, "generate", request_id)
    assert made["done"] and made["finished"] == 2 and not made["faulted"]
    refs = [item["gen_metadata"] for item in made["generations"]]
    assert sorted(ref["ref"] for (ref,) in refs) == ["0", "1"]
    assert httpx.get(made["generations"][0]["img"]).content == webp(256, 256)
    user = regen.look_at_kudos()
    assert len(user["worker_ids"]) == 1 and user["kudos"] > 0


def test_regen_gets_a_source_image_as_a_link_that_needs_no_key(node: NodeProcess, regen: ReGen) -> None:
    request_id = ask_image(node, regen.models[0], source_image=RED_PNG, source_processing="img2img")
    job = regen.pop()
    source = httpx.get(job["source_image"])
    assert source.status_code == 200 and source.content[8:12] == b"WEBP" and job["source_processing"] == "img2img"
    regen.work(job)
    assert status(node, "generate", request_id)["done"]


def test_regen_reports_a_failed_batch_with_one_submit_and_may_do_the_job_again(node: NodeProcess, regen: ReGen) -> None:
    request_id = ask_image(node, regen.models[0])
    assert regen.fault(regen.pop()) == 0
    again = regen.pop()
    assert regen.work(again)[0] > 0
    assert status(node, "generate", request_id)["done"]


def test_regen_recognises_what_is_wrong_with_a_submit(node: NodeProcess, regen: ReGen) -> None:
    ask_image(node, regen.models[0])
    job = regen.pop()
    regen.work(job)
    assert regen.submit_again(job["id"]) == "already submitted"
    assert regen.submit_again(UNKNOWN) == "gone"


def test_regen_recognises_maintenance_foreign_names_and_empty_offers(node: NodeProcess, regen: ReGen) -> None:
    assert regen.pop() is None
    with pytest.raises(Stop, match="we cannot accept workers serving"):
        regen.pop(models=[])
    other = ReGen(*added(node, "reGen"), regen.name, regen.models)
    with pytest.raises(Stop, match="wrong credentials"):
        other.pop()
    into_maintenance(node, regen.name)
    with pytest.raises(Stop, match="maintenance mode"):
        regen.pop()


def test_regen_is_told_why_it_gets_nothing(node: NodeProcess, regen: ReGen) -> None:
    assert regen.pop() is None
    asked = [
        ask_image(node, regen.models[0], params={"width": 2048, "height": 2048}, nsfw=False),
        ask_image(node, regen.models[0], params={"control_type": "canny"}, source_image=RED_PNG, nsfw=False),
        ask_image(node, regen.models[0], nsfw=True),
    ]
    assert regen.pop(nsfw=False) is None
    skipped = regen.skipped[-1]
    assert (skipped["max_pixels"], skipped["controlnet"], skipped["nsfw"]) == (1, 1, 1)
    for request_id in asked:
        cancel(node, "generate", request_id)


def test_a_wrong_key_is_a_message(regen: ReGen, scribe: Scribe, alchemist: Alchemist, kobold: KoboldCpp) -> None:
    regen.key = scribe.key = alchemist.key = kobold.key = NOBODYS_KEY
    with pytest.raises(Stop, match="API key"):
        regen.pop()
    assert regen.call("GET", "find_user").status == 404
    with pytest.raises(Stop, match="API key"):
        scribe.pop(kobold.model)
    with pytest.raises(Stop, match="API key"):
        alchemist.pop("caption")
    with pytest.raises(Stop, match="401"):
        kobold.pop()


# AI-Horde-Worker: scribe


def test_the_scribe_serves_a_text_with_the_payload_that_it_needs(node: NodeProcess, scribe: Scribe) -> None:
    model = a_name()
    assert scribe.pop(model) is None
    request_id = ask_text(node, model)
    job = scribe.pop(model)
    assert (job["payload"]["max_length"], job["payload"]["max_context_length"]) == (80, 2048)
    reward = scribe.submit(job, " there was a boat.")
    assert isinstance(reward, float) and reward > 0
    made = status(node, "generate/text", request_id)
    assert made["done"] and made["generations"][0]["text"] == " there was a boat."
    assert made["generations"][0]["worker_name"] == scribe.name


def test_the_scribe_faults_with_seed_minus_one_and_drops_what_is_refused(node: NodeProcess, scribe: Scribe) -> None:
    model = a_name()
    ask_text(node, model)
    assert scribe.fault(scribe.pop(model)) == 0
    job = scribe.pop(model)
    assert scribe.submit(job, "text") != "drop"
    assert scribe.submit(job, "text") == "drop"
    assert scribe.submit(job | {"id": UNKNOWN}, "text") == "drop"


def test_the_scribe_is_told_why_it_gets_nothing(node: NodeProcess, scribe: Scribe) -> None:
    asked = [ask_text(node, a_name()), ask_text(node, model := a_name(), max_context_length=4096)]
    assert scribe.pop(model) is None and scribe.skipped[-1] == {"models": 1, "max_context_length": 1}
    for request_id in asked:
        cancel(node, "generate/text", request_id)


def test_the_scribe_reads_the_message_of_maintenance_and_of_foreign_names(node: NodeProcess, scribe: Scribe) -> None:
    model = a_name()
    scribe.pop(model)
    with pytest.raises(Stop, match=r"(?i)wrong credentials"):
        Scribe(*added(node, "scribe"), scribe.name).pop(model)
    into_maintenance(node, scribe.name)
    with pytest.raises(Stop, match="gone fishing"):
        scribe.pop(model)


# AI-Horde-Worker: alchemist


def test_the_alchemist_measures_its_sources_and_uploads_what_it_makes_of_them(
    node: NodeProcess, alchemist: Alchemist
) -> None:
    assert alchemist.pop("caption", "GFPGAN") == []
    forms = [
        {"name": "caption", "payload": {"max_length": 20}},
        {"name": "GFPGAN", "payload": {"facefixer_strength": 0.5}},
    ]
    request_id = ask(node, "interrogate/async", {"source_image": RED_PNG, "forms": forms})
    given = {form["form"]: form for form in alchemist.pop("caption", "GFPGAN")}
    assert given["caption"]["payload"] == {"max_length": "20"} and "r2_upload" not in given["caption"]
    assert given["GFPGAN"]["payload"] == {"facefixer_strength": "0.5"}
    for form in given.values():
        assert alchemist.source(form)[8:12] == b"WEBP"
    upload(given["GFPGAN"]["r2_upload"], webp(16, 16))
    assert alchemist.submit(given["GFPGAN"], "R2") == 3
    assert alchemist.submit(given["caption"], "a red square") == 1
    made = status(node, "interrogate", request_id)
    assert made["state"] == "done"
    results = {form["form"]: form["result"][form["form"]] for form in made["forms"]}
    assert results["caption"] == "a red square" and httpx.get(results["GFPGAN"]).content == webp(16, 16)


def test_the_alchemist_faults_is_refused_and_reads_messages(node: NodeProcess, alchemist: Alchemist) -> None:
    request_id = ask(node, "interrogate/async", {"source_image": RED_PNG, "forms": [{"name": "interrogation"}]})
    (form,) = alchemist.pop("interrogation")
    assert alchemist.fault(form) == 0
    (form,) = alchemist.pop("interrogation")
    tags = {"tags": [{"text": "red", "confidence": 0.9}]}
    assert alchemist.submit(form, tags) == 3
    assert alchemist.submit(form, tags) == "drop"
    assert alchemist.submit(form | {"id": UNKNOWN}, tags) == "drop"
    assert status(node, "interrogate", request_id)["forms"][0]["result"] == {"interrogation": tags}
    into_maintenance(node, alchemist.name)
    with pytest.raises(Stop, match="gone fishing"):
        alchemist.pop("interrogation")


def test_the_alchemist_is_told_why_it_gets_nothing(node: NodeProcess, alchemist: Alchemist) -> None:
    assert alchemist.pop("nsfw") == [] and alchemist.skipped == [{}]
    owner = {"apikey": node.owner_key}
    user = httpx.get(f"{node.url}/api/v2/find_user", headers={"apikey": alchemist.key}).json()
    httpx.put(f"{node.url}/api/v2/users/{user['id']}", json={"trusted": False}, headers=owner).raise_for_status()
    body = {"source_image": RED_PNG, "forms": [{"name": "nsfw"}], "trusted_workers": True}
    request_id = ask(node, "interrogate/async", body)
    assert alchemist.pop("nsfw") == [] and alchemist.skipped[-1] == {"untrusted": 1}
    cancel(node, "interrogate", request_id)


# KoboldCpp


def test_koboldcpp_serves_a_text_and_numbers_stay_numbers(node: NodeProcess, kobold: KoboldCpp) -> None:
    assert kobold.pop() is None
    asked = {"temperature": 1, "top_p": 0.9, "top_k": 40, "rep_pen": 1.1, "max_length": 90, "max_context_length": 1024}
    request_id = ask_text(node, kobold.model, **asked)
    job = kobold.pop()
    assert {name: job["payload"][name] for name in asked} == asked
    assert kobold.submit(job, " there was a boat.") > 0
    assert status(node, "generate/text", request_id)["generations"][0]["text"] == " there was a boat."


def test_koboldcpp_counts_every_refusal_as_a_failure(node: NodeProcess, kobold: KoboldCpp) -> None:
    ask_text(node, kobold.model)
    job = kobold.pop()
    kobold.submit(job, "text")
    for refused, code in ((job, "400"), (job | {"id": UNKNOWN}, "404")):
        with pytest.raises(Stop, match=code):
            kobold.submit(refused, "text")
    into_maintenance(node, kobold.name)
    with pytest.raises(Stop, match="403"):
        kobold.pop()


def test_koboldcpp_is_not_given_what_is_too_long_for_it(node: NodeProcess, kobold: KoboldCpp) -> None:
    request_id = ask_text(node, kobold.model, max_length=512)
    assert kobold.pop() is None and kobold.skipped[-1] == {"max_length": 1}
    cancel(node, "generate/text", request_id)
