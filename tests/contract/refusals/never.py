"""What a node never answers with although api.json lists it, and why."""

from __future__ import annotations

from tests.contract.refusals.case import POPS

SCHEMA = "the schema refuses such a body first, without a code (behaviour.md 1)"
SAFE = "[OUT] every address is safe (behaviour.md 26)"
NO_BETA = "[OUT] no model is special for being compared (behaviour.md 26)"
NO_SERVER = "[OUT] there is no rating server, and nothing is shared with one (behaviour.md 26)"
PUBLIC_VIEW = "[FIX] a key that gives no right gets the public view (behaviour.md 25)"
RATE = "POST /generate/rate/{id}"

NEVER: dict[tuple[str, str], str] = {
    ("POST /generate/async", "BadCFGNumber"): SCHEMA,
    ("POST /generate/async", "MissingPrompt"): SCHEMA,
    ("POST /generate/async", "BetaAnonForbidden"): NO_BETA,
    ("POST /generate/async", "BetaComparisonFault"): NO_BETA,
    ("POST /generate/async", "UntrustedUnsafeIP"): SAFE,
    ("POST /interrogate/async", "UntrustedUnsafeIP"): SAFE,
    **{(route, rc): SAFE for route in POPS for rc in ("UnsafeIP", "TooManyNewIPs")},
    ("POST /styles/image", "BadCFGNumber"): SCHEMA,
    ("PATCH /styles/image/{style_id}", "BadCFGNumber"): SCHEMA,
    ("PUT /workers/{worker_id}", "TooLongWorkerName"): SCHEMA,
    ("GET /teams/{team_id}", "NotModerator"): PUBLIC_VIEW,
    ("GET /status/modes", "NotModerator"): PUBLIC_VIEW,
    (RATE, "AestheticsAlreadyExist"): NO_SERVER,
    (RATE, "AestheticsConfused"): NO_SERVER,
    (RATE, "AestheticsDuplicate"): NO_SERVER,
    (RATE, "AestheticsMissing"): NO_SERVER,
    (RATE, "AestheticsServerDown"): NO_SERVER,
    (RATE, "AestheticsServerError"): NO_SERVER,
    (RATE, "AestheticsServerRejected"): NO_SERVER,
    (RATE, "AestheticsServerTimeout"): NO_SERVER,
    (RATE, "AestheticsSolo"): NO_SERVER,
    (RATE, "InvalidAestheticAttempt"): NO_SERVER,
    (RATE, "ProcGenNotFound"): NO_SERVER,
}
