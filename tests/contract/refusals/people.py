"""Refusals of what concerns users, shared keys, workers, messages and teams, and those of every pop."""

from __future__ import annotations

from tests.contract.refusals.case import POPS, REQUESTS, Case, Prepare
from tests.contract.refusals.generation import time_out
from tests.support.horde import ALCHEMY_POP, ANONYMOUS, IMAGE_POP, IMAGE_REQUEST, TEXT_POP, TEXT_REQUEST
from tests.support.people import REFUSED_WORD, UNKNOWN, People


async def mark_deleted(people: People) -> None:
    await people.ok("registered", "DELETE", people.path("/users/{user_id}"))


async def three_shared_keys(people: People) -> None:
    for _ in range(2):  # one is there already
        await people.ok("registered", "PUT", "/sharedkeys", {})


async def job_in_flight(people: People) -> None:
    await people.horde.ok("POST", "/generate/async", IMAGE_REQUEST, key=ANONYMOUS)
    await people.ok("registered", "POST", "/generate/pop", IMAGE_POP)


async def all_workers(people: People) -> None:
    """One of each sort."""
    for route, pop in POPS.items():
        method, path = route.split(" ")
        await people.ok("registered", method, path, pop)


async def in_maintenance(people: People) -> None:
    await all_workers(people)
    for pop in POPS.values():
        worker = await people.horde.ok("GET", f"/workers/name/{pop['name']}")
        await people.ok("registered", "PUT", f"/workers/{worker['id']}", {"maintenance": True})


async def invite_only(people: People) -> None:
    await people.ok("moderator", "PUT", "/status/modes", {"invite_only_mode": True})


def many_workers(who: str, count: int) -> Prepare:
    async def prepare(people: People) -> None:
        for i in range(count):
            await people.ok(who, "POST", "/generate/pop", IMAGE_POP | {"name": f"{who} {i}"})

    return prepare


def key_with(**change: int) -> Prepare:
    async def prepare(people: People) -> None:
        await people.ok("registered", "PATCH", people.path("/sharedkeys/{sharedkey_id}"), change)
        if "expiry" in change:
            people.horde.clock.advance(change["expiry"] * 86_400 + 1)

    return prepare


BAD = f"with a {REFUSED_WORD} in it"
CASES = [
    Case("GET /users/{user_id}", "InvalidAPIKey", "nobody"),
    Case("GET /users/{user_id}", "UserNotFound", "none", path={"user_id": "99999"}),
    Case("GET /users/{user_id}", "UserNotFound", "none", path={"user_id": "somebody"}),
    Case("PUT /users/{user_id}", "NoUserModSelected", "registered", {"filtered": True}),
    Case("PUT /users/{user_id}", "ProfaneAdminComment", "moderator", {"admin_comment": BAD}),
    Case("PUT /users/{user_id}", "ProfaneUserContact", "registered", {"contact": BAD}),
    Case("PUT /users/{user_id}", "ProfaneUserName", "registered", {"username": BAD.upper()}),
    Case("PUT /users/{user_id}", "TooLongUserName", "registered", {"username": "x" * 31}),
    Case("PUT /users/{user_id}", "UserNotDeleted", "registered", {"undelete": True}),
    Case("PUT /users/{user_id}", "InvalidAPIKey", "nobody", {"username": "somebody"}),
    Case("PUT /users/{user_id}", "AnonForbiddenUserMod", "anonymous", {"public_workers": True}),
    Case("PUT /users/{user_id}", "AnonForbiddenUserMod", "admin", {"trusted": True}, path={"user_id": "0"}),
    Case("PUT /users/{user_id}", "NonServiceForbidden", "registered", {"generate_proxy_passkey": True}),
    Case("PUT /users/{user_id}", "NotAdmin", "moderator", {"kudos": 5}),
    Case("PUT /users/{user_id}", "NotModerator", "registered", {"trusted": True}),
    Case("PUT /users/{user_id}", "NotModerator", "other", {"username": "not mine"}),
    Case("PUT /users/{user_id}", "UserNotFound", "moderator", {"trusted": True}, path={"user_id": "99999"}),
    Case("DELETE /users/{user_id}", "InvalidAPIKey", "nobody"),
    Case("DELETE /users/{user_id}", "AnonForbiddenUser", "anonymous"),
    Case("DELETE /users/{user_id}", "CannotDeleteMod", "moderator", path={"user_id": "1"}),
    Case("DELETE /users/{user_id}", "CannotWipeActiveUser", "registered", prepare=mark_deleted),
    Case("DELETE /users/{user_id}", "NotUserOrMod", "other"),
    Case("DELETE /users/{user_id}", "UserNotFound", "moderator", path={"user_id": "99999"}),
    Case("GET /find_user", "InvalidAPIKey", "none"),
    Case("GET /find_user", "UserNotFound", "nobody"),
    Case("PUT /sharedkeys", "InvalidAPIKey", "nobody", {}),
    Case("PUT /sharedkeys", "AnonForbidden", "anonymous", {}),
    Case("PUT /sharedkeys", "Forbidden", "registered", {}, prepare=three_shared_keys),
    Case("GET /sharedkeys/{sharedkey_id}", "InvalidAPIKey", "none", path={"sharedkey_id": UNKNOWN}),
    Case("PATCH /sharedkeys/{sharedkey_id}", "NoSharedKeyModSelected", "registered", {}),
    Case("PATCH /sharedkeys/{sharedkey_id}", "InvalidAPIKey", "nobody", {"kudos": 1}),
    Case("PATCH /sharedkeys/{sharedkey_id}", "Forbidden", "other", {"kudos": 1}),
    Case("DELETE /sharedkeys/{sharedkey_id}", "InvalidAPIKey", "nobody"),
    Case("DELETE /sharedkeys/{sharedkey_id}", "Forbidden", "other"),
    Case("GET /workers/{worker_id}", "WorkerNotFound", "none", path={"worker_id": UNKNOWN}),
    Case("GET /workers/name/{worker_name}", "WorkerNotFound", "none", path={"worker_name": "Painter"}),
    Case("PUT /workers/{worker_id}", "NoWorkerModSelected", "registered", {"maintenance_msg": "only a message"}),
    Case("PUT /workers/{worker_id}", "ProfaneWorkerInfo", "registered", {"info": BAD}),
    Case("PUT /workers/{worker_id}", "ProfaneWorkerName", "registered", {"name": BAD}),
    Case("PUT /workers/{worker_id}", "WorkerNameAlreadyExists", "registered", {"name": "writer"}),
    Case("PUT /workers/{worker_id}", "InvalidAPIKey", "nobody", {"maintenance": True}),
    Case("PUT /workers/{worker_id}", "AnonForbiddenWorker", "anonymous", {"maintenance": True}),
    Case("PUT /workers/{worker_id}", "NotModerator", "registered", {"paused": True}),
    Case("PUT /workers/{worker_id}", "NotModerator", "other", {"name": "not mine"}),
    Case("PUT /workers/{worker_id}", "NotOwner", "other", {"maintenance": True}),
    Case("PUT /workers/{worker_id}", "NotOwner", "other", {"info": "not mine"}),
    Case("PUT /workers/{worker_id}", "TeamNotFound", "registered", {"team": UNKNOWN}),
    Case("PUT /workers/{worker_id}", "WorkerNotFound", "registered", {"info": "x"}, path={"worker_id": UNKNOWN}),
    Case("DELETE /workers/{worker_id}", "InvalidAPIKey", "nobody"),
    Case("DELETE /workers/{worker_id}", "AnonForbiddenWorker", "anonymous"),
    Case("DELETE /workers/{worker_id}", "NotModerator", "other"),
    Case("DELETE /workers/{worker_id}", "WorkerNotFound", "registered", path={"worker_id": UNKNOWN}),
    Case("DELETE /workers/{worker_id}", "Locked", "registered", prepare=job_in_flight),
    Case("GET /workers/messages", "BadRequest", "registered", query="?user_id=somebody"),
    Case("GET /workers/messages", "InvalidAPIKey", "nobody"),
    Case("GET /workers/messages", "Forbidden", "registered", query="?user_id=1"),
    Case("GET /workers/messages", "Forbidden", "other", query="?worker_id={worker_id}"),
    Case("POST /workers/messages", "InvalidAPIKey", "nobody", {"message": "hello"}),
    Case("POST /workers/messages", "AnonForbidden", "anonymous", {"message": "hello"}),
    Case("POST /workers/messages", "MessagesOnlyOwnWorkers", "registered", {"message": "to all"}),
    Case("POST /workers/messages", "MessagesOnlyOwnWorkers", "other", {"message": "hi", "worker_id": "{worker_id}"}),
    Case("POST /workers/messages", "WorkerNotFound", "moderator", {"message": "hello", "worker_id": UNKNOWN}),
    Case("GET /workers/messages/{message_id}", "WorkermessageNotFound", "none", path={"message_id": UNKNOWN}),
    Case("DELETE /workers/messages/{message_id}", "InvalidAPIKey", "nobody"),
    Case("DELETE /workers/messages/{message_id}", "Forbidden", "other"),
    Case("DELETE /workers/messages/{message_id}", "WorkermessageNotFound", "other", path={"message_id": UNKNOWN}),
    Case("POST /teams", "ProfaneTeamInfo", "trusted", {"name": "a team", "info": BAD}),
    Case("POST /teams", "ProfaneTeamName", "trusted", {"name": BAD}),
    Case("POST /teams", "TeamNameAlreadyExists", "trusted", {"name": "First TEAM"}),
    Case("POST /teams", "InvalidAPIKey", "nobody", {"name": "a team"}),
    Case("POST /teams", "AnonForbidden", "anonymous", {"name": "a team"}),
    Case("POST /teams", "UntrustedTeamCreation", "registered", {"name": "a team"}),
    Case("GET /teams/{team_id}", "InvalidAPIKey", "nobody"),
    Case("GET /teams/{team_id}", "TeamNotFound", "none", path={"team_id": UNKNOWN}),
    Case("PATCH /teams/{team_id}", "NoTeamModSelected", "trusted", {}),
    Case("PATCH /teams/{team_id}", "ProfaneTeamInfo", "trusted", {"info": BAD}),
    Case("PATCH /teams/{team_id}", "ProfaneTeamName", "trusted", {"name": BAD}),
    Case(
        "PATCH /teams/{team_id}",
        "TeamNameAlreadyExists",
        "trusted",
        {"name": "SECOND team"},
        prepare=lambda people: people.ok("trusted", "POST", "/teams", {"name": "second team"}),
    ),
    Case("PATCH /teams/{team_id}", "InvalidAPIKey", "nobody", {"info": "changed"}),
    Case("PATCH /teams/{team_id}", "NotModerator", "registered", {"name": "changed"}),
    Case("PATCH /teams/{team_id}", "NotOwner", "registered", {"info": "changed"}),
    Case("PATCH /teams/{team_id}", "TeamNotFound", "trusted", {"info": "changed"}, path={"team_id": UNKNOWN}),
    Case("DELETE /teams/{team_id}", "InvalidAPIKey", "nobody"),
    Case("DELETE /teams/{team_id}", "NotModerator", "registered"),
    Case("DELETE /teams/{team_id}", "TeamNotFound", "trusted", path={"team_id": UNKNOWN}),
]
for route, pop in POPS.items():
    other_kind = TEXT_POP if pop is IMAGE_POP else IMAGE_POP
    no_number = "BadRequest" if pop is ALCHEMY_POP else "InvalidPriorityUsername"
    CASES += [
        Case(route, "BadRequest", "registered", pop | {"name": " "}),
        Case(route, "BadRequest", "registered", pop | {"name": "x" * 101}),
        Case(route, no_number, "registered", pop | {"priority_usernames": ["somebody"]}),
        Case(route, "PolymorphicNameConflict", "registered", pop | {"name": other_kind["name"]}),
        Case(route, "ProfaneBridgeAgent", "other", pop | {"name": "new", "bridge_agent": f"{REFUSED_WORD}:1:x"}),
        Case(route, "ProfaneWorkerName", "other", pop | {"name": f"my {REFUSED_WORD}"}),
        Case(route, "InvalidAPIKey", "nobody", pop),
        Case(route, "AnonForbiddenWorker", "anonymous", pop),
        Case(route, "DeletedUser", "deleted", pop),
        Case(
            route,
            "TooManySameIPs",
            "other",
            pop | {"name": "third"},
            prepare=many_workers("other", 2),
            rules={"workers_per_address": 2},
        ),
        Case(route, "TooManyWorkers", "other", pop | {"name": "fourth"}, prepare=many_workers("other", 3)),
        Case(route, "TooManyWorkersTrusted", "trusted", pop | {"name": "last"}, prepare=many_workers("trusted", 20)),
        Case(route, "WorkerFlaggedMaintenance", "flagged", pop),
        Case(route, "WorkerInviteOnly", "other", pop | {"name": "new"}, prepare=invite_only),
        Case(route, "WorkerMaintenance", "registered", pop, prepare=in_maintenance),
        Case(route, "WrongCredentials", "other", pop, prepare=all_workers),
        Case(route, "TimeoutIP", "registered", pop, prepare=time_out),
    ]
for route, request in REQUESTS.items():
    CASES += [
        Case(route, "SharedKeyEmpty", "shared key", request, prepare=key_with(kudos=0)),
        Case(route, "SharedKeyExpired", "shared key", request, prepare=key_with(expiry=1)),
        Case(route, "SharedKeyInsufficientKudos", "shared key", request, prepare=key_with(kudos=1)),
        Case(route, "DeletedUser", "shared key", request, prepare=mark_deleted),
        Case(route, "InvalidAPIKey", "unknown shared key", request),
        Case(route, "OnlyServiceAccountProxy", "registered", request | {"proxied_account": "somebody"}),
    ]
CASES += [
    Case("POST /generate/async", "BadRequest", "shared key", IMAGE_REQUEST, prepare=key_with(max_image_pixels=65535)),
    Case("POST /generate/async", "BadRequest", "shared key", IMAGE_REQUEST, prepare=key_with(max_image_steps=19)),
    Case("POST /generate/text/async", "BadRequest", "shared key", TEXT_REQUEST, prepare=key_with(max_text_tokens=79)),
]
