"""What clients need beyond the API text, one test per line of the contract (clients.md 1, 2, 3, 5); the line's words are
the test's name. What single programs need is in test_lines_programs.py, alchemy and sources in test_lines_alchemy.py."""

from __future__ import annotations

import io
import re
import uuid
from typing import Any

import pytest
from PIL import Image

from hordenode.api.route import ApiSettings, Route
from hordenode.api.routes import ROUTES
from hordenode.coordinator import janitor
from tests.contract.schema import API, validate
from tests.support.aio import run
from tests.support.horde import ANONYMOUS, BASE, IMAGE_REQUEST, TEXT_REQUEST, Horde, open_horde
from tests.support.journeys import ask, deliver, pop, served, status, webp
from tests.support.scenario import on_a_horde

UNKNOWN = "00000000-0000-4000-8000-000000000000"
HEADERS = "apikey, Client-Agent, Content-Type, Accept, X-Fields, X-Forwarded-For, Proxied-For, Proxy-Authorization"


def filled(path: str) -> str:
    """A path of the route table with something for each parameter."""
    return re.sub(r"\{\w+(:path)?\}", UNKNOWN, path)


# 1. For every client


@on_a_horde
async def test_json_bodies_on_all_answers_under_api_also_on_errors_404_for_unknown_paths_and_405(horde: Horde) -> None:
    asked = [
        ("GET", "/api/v2/status/heartbeat", 200),
        ("GET", "/api/nothing", 404),
        ("GET", "/api/v2/nothing/at/all", 404),
        ("GET", f"/api/v2/generate/check/{UNKNOWN}", 404),
        ("DELETE", "/api/v2/status/heartbeat", 405),
        ("POST", "/api/v2/generate/async", 400),
        ("GET", "/api/v2/find_user", 401),
    ]
    for method, path, expected in asked:
        answer = await horde.http.request(method, path)
        assert (answer.status_code, type(answer.json())) == (expected, dict), path
        assert answer.headers["content-type"].startswith("application/json")
        if expected >= 400:
            assert answer.json()["message"]


@on_a_horde
async def test_errors_have_message_always_and_rc_validation_errors_add_errors_never_both(horde: Horde) -> None:
    business = await horde.call("GET", f"/generate/check/{UNKNOWN}")
    assert set(business.json()) == {"message", "rc"}
    schema = await horde.call("POST", "/generate/async", {}, key=ANONYMOUS)
    assert set(schema.json()) == {"message", "errors"}
    keyless = await horde.call("POST", "/generate/async", IMAGE_REQUEST)
    assert keyless.status_code == 400 and list(keyless.json()["errors"]) == ["apikey"]


@on_a_horde
async def test_successful_answers_must_not_carry_a_message_member_except_where_api_json_has_one(horde: Horde) -> None:
    worker = await horde.worker_key()
    for kind, body in (("image", IMAGE_REQUEST), ("text", TEXT_REQUEST)):
        route = f"/generate/{'text/' * (kind == 'text')}async"
        lonely = await horde.ok("POST", route, body, key=ANONYMOUS)
        assert lonely["message"]  # nothing can serve it
        job = await pop(horde, kind, worker)
        assert "message" not in job
        done = await status(horde, kind, lonely["id"])
        assert "message" not in done and "message" not in await deliver(horde, kind, worker, job)
        assert "message" not in await horde.ok("POST", route, body, key=ANONYMOUS)
    for path in ("/find_user", "/status/performance", "/stats/img/totals"):
        assert "message" not in await horde.ok("GET", path, key=worker)


@on_a_horde
async def test_uuid_strings_lowercase_36_characters_for_requests_jobs_workers_teams_styles_shared_keys(
    horde: Horde,
) -> None:
    key = await horde.worker_key()
    style = {"name": "s", "models": ["m"], "prompt": "{p}{np}"}
    ids = [
        await ask(horde, "image"),
        (await pop(horde, "image", key))["id"],
        (await horde.ok("GET", "/workers/name/painter"))["id"],
        (await horde.ok("POST", "/teams", {"name": "a team"}, key=key))["id"],
        (await horde.ok("POST", "/styles/image", style, key=key))["id"],
        (await horde.ok("PUT", "/sharedkeys", {}, key=key))["id"],
    ]
    for found in ids:
        assert len(found) == 36 and found == found.lower() and str(uuid.UUID(found)) == found


@on_a_horde
async def test_api_keys_exactly_22_characters_or_0000000000_or_a_uuid_shared_key(horde: Horde) -> None:
    key = await horde.user()
    assert re.fullmatch(r"[A-Za-z0-9_-]{22}", key)
    shared = (await horde.ok("PUT", "/sharedkeys", {}, key=key))["id"]
    for good in (key, ANONYMOUS, shared):
        await horde.ok("POST", "/generate/async", IMAGE_REQUEST, key=good)
    for bad in (key[:-1], key + "x", "0" * 9, UNKNOWN):
        answer = await horde.call("POST", "/generate/async", IMAGE_REQUEST, key=bad)
        assert (answer.status_code, answer.json()["rc"]) == (401, "InvalidAPIKey")


@on_a_horde
async def test_types_image_seed_string_text_seed_integer_kudos_number_and_the_other_integers(horde: Horde) -> None:
    worker = await horde.worker_key()
    image, text = await served(horde, "image", worker), await served(horde, "text", worker)
    assert type(image["generations"][0]["seed"]) is str and type(text["generations"][0]["seed"]) is int
    user = await horde.ok("GET", "/find_user", key=worker)
    painter = await horde.ok("GET", "/workers/name/painter")
    for found in (image, text):
        assert type(found["kudos"]) is float
        assert type(found["wait_time"]) is int and type(found["queue_position"]) is int
    assert type(user["account_age"]) is int
    assert painter["megapixelsteps_generated"] == int(painter["megapixelsteps_generated"])


@on_a_horde
async def test_done_true_must_mean_the_full_set_of_items_is_readable_in_the_status_answer_at_that_moment(
    horde: Horde,
) -> None:
    worker = await horde.worker_key()
    for kind in ("image", "text"):
        request_id = await ask(horde, kind, params={"n": 3})
        for count in range(1, 4):
            await deliver(horde, kind, worker, await pop(horde, kind, worker, amount=1))
            found = await status(horde, kind, request_id)
            assert (found["done"], found["finished"], len(found["generations"])) == (count == 3, count, count)


@on_a_horde
async def test_404_request_not_found_after_expiry_is_normal_for_clients(horde: Horde) -> None:
    request_id = await ask(horde, "image")
    horde.clock.advance(21 * 60)
    await janitor.sweep_expired(horde.co)
    answer = await horde.call("GET", f"/generate/status/{request_id}")
    assert (answer.status_code, answer.json()["rc"]) == (404, "RequestNotFound")


@on_a_horde
async def test_real_webp_bytes_in_results(horde: Horde) -> None:
    found = await served(horde, "image", await horde.worker_key())
    data = (await horde.http.get(found["generations"][0]["img"])).content
    assert data[:4] + data[8:12] == b"RIFFWEBP"
    assert Image.open(io.BytesIO(data)).size == (64, 64)


# 2. Browser needs


@on_a_horde
async def test_preflight_options_for_every_route_200_or_204_allow_origin_methods_and_headers(horde: Horde) -> None:
    for path in sorted({filled(route.path) for route in ROUTES}):
        answer = await horde.http.options(path, headers={"Origin": "https://artbot.site"})
        assert (answer.status_code, answer.content) == (200, b""), path
        assert answer.headers["access-control-allow-origin"] == "*"
        methods = answer.headers["access-control-allow-methods"].split(", ")
        assert set(methods) == {"GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}
        assert set(HEADERS.split(", ")) <= set(answer.headers["access-control-allow-headers"].split(", "))


@on_a_horde
async def test_preflights_carry_no_apikey_and_must_not_be_counted_by_limits_or_need_auth(horde: Horde) -> None:
    asked = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "apikey"}
    for _ in range(300):
        answer = await horde.http.options("/api/v2/generate/async", headers=asked)
        assert answer.status_code == 200


@on_a_horde
async def test_the_same_allow_origin_on_errors_and_on_image_downloads_and_on_source_and_upload_urls(
    horde: Horde,
) -> None:
    worker = await horde.worker_key()
    await ask(horde, "image")
    job = await pop(horde, "image", worker)
    upload = await horde.http.put(job["r2_upload"], content=webp())
    preflight = await horde.http.options(job["r2_upload"].partition("?")[0])
    found = await served(horde, "image", worker)
    image = await horde.http.get(found["generations"][0]["img"])
    for answer in (
        upload,
        preflight,
        image,
        await horde.http.get("/blobs/results/none.webp"),
        await horde.call("GET", f"/generate/check/{UNKNOWN}"),
        await horde.http.get("/api/nothing"),
        await horde.call("DELETE", "/find_user"),
    ):
        assert answer.headers["access-control-allow-origin"] == "*"
    horde.co.stopping = True
    closed = await horde.call("POST", "/generate/async", IMAGE_REQUEST, key=ANONYMOUS)
    assert (closed.status_code, closed.headers["access-control-allow-origin"]) == (503, "*")


@on_a_horde
async def test_private_network_access_is_allowed_to_a_preflight_that_asks_for_it(horde: Horde) -> None:
    asked = {"Access-Control-Request-Private-Network": "true"}
    name = "access-control-allow-private-network"
    assert (await horde.http.options("/api/v2/generate/async", headers=asked)).headers[name] == "true"
    assert name not in (await horde.http.options("/api/v2/generate/async")).headers
    assert name not in (await horde.http.get("/api/v2/status/heartbeat", headers=asked)).headers


@on_a_horde
async def test_head_should_work_wherever_get_does(horde: Horde) -> None:
    for route in ROUTES:
        if route.method != "GET" or not isinstance(route, Route):
            continue
        path = filled(route.path)
        full, head = await horde.http.get(path), await horde.http.head(path)
        assert (head.status_code, head.content) == (full.status_code, b""), path
        assert head.headers["content-type"] == full.headers["content-type"]


# 3. Setting the base URL


@pytest.mark.parametrize(
    ("client", "base", "path"),
    [
        ("horde-sdk, horde-worker-reGen", f"{BASE}/api/", "v2/status/heartbeat"),
        ("AI-Horde-Worker, ArtBot, KoboldAI Lite, AI-Horde-CLI, Lucid Creations", BASE, "/api/v2/status/heartbeat"),
        ("npm, AiHordeFrontpage", f"{BASE}/api/v2", "/status/heartbeat"),
        ("host typed with a slash", f"{BASE}/", "/api/v2/status/heartbeat"),
        ("npm base typed with a slash", f"{BASE}/api/v2/", "/status/heartbeat"),
    ],
)
def test_each_clients_form_of_the_base_url_leads_to_the_api(tmp_path: Any, client: str, base: str, path: str) -> None:
    @on_a_horde
    async def test(horde: Horde) -> None:
        answer = await horde.http.get(base + path)
        assert (answer.status_code, answer.json()["message"]) == (200, "OK")

    test(tmp_path)


@on_a_horde
async def test_a_doubled_slash_is_served_directly_never_by_redirect(horde: Horde) -> None:
    for path in (
        "//api/v2/generate/async",
        "/api//v2/generate/async",
        "/api/v2//generate/async",
        "/api/v2/generate/async/",
    ):
        answer = await horde.http.post(f"{BASE}{path}", json=IMAGE_REQUEST, headers={"apikey": ANONYMOUS})
        assert (answer.status_code, answer.history) == (202, []), path


# 5. Service discovery


@on_a_horde
async def test_well_known_serviceinfo_has_version_software_and_api_of_the_nodes_own_name_and_public_url(
    horde: Horde,
) -> None:
    info = (await horde.http.get("/.well-known/serviceinfo")).json()
    assert info["version"]
    assert {"name", "version", "repository", "homepage"} <= set(info["software"])
    assert info["software"]["name"] == "hordenode"
    api = info["api"]["aihorde"]
    assert {"name", "version", "base_url", "rel_url", "documentation"} <= set(api)
    assert api["base_url"].startswith(BASE) and api["rel_url"].endswith("/v2")


@on_a_horde
async def test_swagger_json_matches_api_json(horde: Horde) -> None:
    document = (await horde.http.get("/api/swagger.json")).json()
    served_paths = {(method.upper(), f"/api{path}") for path, item in document["paths"].items() for method in item}
    assert {(route["method"], route["path"]) for route in API["routes"]} <= served_paths


def test_settings_of_the_public_url_reach_the_links(tmp_path: Any) -> None:
    """A node should fill its own public URL, whatever address the caller used."""

    async def main() -> None:
        settings = ApiSettings(node_name="test:7001:0", public_url="https://horde.example")
        async with open_horde(tmp_path, api=settings) as horde:
            info = (await horde.http.get("/.well-known/serviceinfo")).json()
            assert info["api"]["aihorde"]["base_url"].startswith("https://horde.example")
            found = await served(horde, "image", await horde.worker_key())
            validate("GET /generate/status/{id}", 200, found)
            assert found["generations"][0]["img"].startswith("https://horde.example/blobs/")

    run(main())
