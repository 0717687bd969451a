"""The nouns of a horde as frozen values (contract 2, 3.5, 11).

Kudos are integers in thousandths, times integer UTC milliseconds, "things" pixelsteps (image) or tokens (text).

They are msgspec structs and not, as ARCHITECTURE 3.1 has it, dataclasses: a round trip reads and replaces some fifteen
of them, and a frozen dataclass of twenty fields takes 3 us where a struct takes 0.3, a tenth of the whole round trip.
"""

from __future__ import annotations

from enum import StrEnum

import msgspec

ANONYMOUS_ID = 0
ANONYMOUS_KEY = "0000000000"
OWNER_ID = 1
DEFAULT_KEY = "default"  # name of the key that a user gets with the account


class Kind(StrEnum):
    """What a request wants and a worker makes; the values are the wire's worker types."""

    IMAGE = "image"
    TEXT = "text"
    ALCHEMY = "interrogation"


class JobState(StrEnum):
    """Life of a job (contract 8.6)."""

    PROCESSING = "processing"
    DONE = "done"
    FAULTED = "faulted"


class User(msgspec.Struct, frozen=True):
    """An account (contract 2.1)."""

    id: int
    name: str
    created_ms: int
    active_ms: int
    concurrency: int = 30
    worker_invited: int = 0
    usage_multiplier: int = 1000
    moderator: bool = False
    admin: bool = False
    trusted: bool = False
    flagged: bool = False
    deleted: bool = False
    service: bool = False
    education: bool = False
    customizer: bool = False
    special: bool = False
    vpn: bool = False
    pseudonymous: bool = False
    public_workers: bool = False
    contact: str | None = None

    @property
    def anonymous(self) -> bool:
        return self.id == ANONYMOUS_ID

    @property
    def alias(self) -> str:
        return f"{self.name}#{self.id}"


class UserPrivate(msgspec.Struct, frozen=True):
    """What is rarely read of an account. `monthly_kudos` in thousandths; `monthly_paid_ms`: when it last got them."""

    user_id: int
    admin_comment: str | None = None
    monthly_kudos: int = 0
    monthly_paid_ms: int | None = None
    proxy_passkey: str | None = None


class Worker(msgspec.Struct, frozen=True):
    """A popping process (contract 11). `speed` is in things per second, None before its first delivery."""

    id: str
    name: str
    kind: Kind
    user_id: int
    created_ms: int
    seen_ms: int
    address: str
    bridge_agent: str
    offer: str
    info: str | None = None
    paused: bool = False
    maintenance: bool = False
    maintenance_message: str | None = None
    uptime_s: int = 0
    speed: float | None = None
    fulfilled: int = 0
    contributed: int = 0
    aborted: int = 0
    kudos_generated: int = 0
    kudos_uptime: int = 0
    team_id: str | None = None


class WaitingPrompt(msgspec.Struct, frozen=True):
    """The counters of a request; what it asks for is a spec (domain/spec.py).

    Higher `order_key` is served first, then earlier `arrival`. `n` jobs are still to be handed out of `jobs` wanted
    ones; `things` and `price` are per job.
    """

    id: str
    kind: Kind
    user_id: int
    lane_id: int
    signature_id: int
    order_key: int
    arrival: int
    n: int
    jobs: int
    processing: int
    finished: int
    restarted: int
    faulted: bool
    cancelled: bool
    things: int
    price: int
    consumed: int
    created_ms: int
    expires_ms: int
    sharedkey_id: str | None = None


class Job(msgspec.Struct, frozen=True):
    """One generation handed to one worker. `logprobs`: of a text whose request asked for them, as JSON."""

    id: str
    request_id: str
    worker_id: str
    model: str
    state: JobState
    in_process: bool
    popped_ms: int
    deadline_ms: int
    finished_ms: int | None = None
    seed: int | None = None
    result: str | None = None
    outcome: str | None = None
    censored: bool = False
    gen_metadata: str | None = None
    reward: int = 0
    logprobs: str | None = None


class SharedKey(msgspec.Struct, frozen=True):
    """A part of its owner's kudos that others may spend (contract 14).

    `budget` is what is left, None without limit; a limit of -1 is none. `models` is a JSON list of the models that it
    may ask for, empty for any.
    """

    id: str
    user_id: int
    name: str | None
    created_ms: int
    expires_ms: int | None
    budget: int | None
    utilized: int = 0
    max_image_pixels: int = -1
    max_image_steps: int = -1
    max_text_tokens: int = -1
    models: str = "[]"


class Team(msgspec.Struct, frozen=True):
    """Workers that count together (contract 15). `folded` is the name as names are compared."""

    id: str
    name: str
    folded: str
    info: str | None
    user_id: int
    created_ms: int
    fulfilled: int = 0
    contributed: int = 0
    kudos: int = 0
    uptime_s: int = 0


class Message(msgspec.Struct, frozen=True):
    """What the owner of one worker, or of all (`worker_id` None), is told with each pop (contract 16)."""

    id: str
    worker_id: str | None
    user_id: int
    message: str
    origin: str
    created_ms: int
    expires_ms: int


class ApiKey(msgspec.Struct, frozen=True):
    """One of a user's keys, without the key."""

    digest: bytes
    user_id: int
    created_ms: int
    name: str
    used_ms: int | None


class Invitation(msgspec.Struct, frozen=True):
    """A code that lets `uses_left` people register, or one worker join, without the code.

    joined_id: the account that the worker got.
    """

    digest: bytes
    user_id: int
    created_ms: int
    expires_ms: int | None
    uses_left: int
    trusted: bool
    worker: bool = False
    joined_id: int | None = None
    joined_ms: int | None = None

    @property
    def id(self) -> str:
        """What people call it: the beginning of the digest, which says nothing about the code."""
        return self.digest.hex()[:10]
