"""What every use case needs: the store, the clock, who calls, and what is only kept in memory."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from hordenode.blobs.base import BlobStore
from hordenode.blobs.signing import UrlSigner
from hordenode.client.guard import Guard
from hordenode.coordinator.doorbell import Doorbell
from hordenode.coordinator.line import Line
from hordenode.coordinator.presence import Presence
from hordenode.coordinator.specs import Specs
from hordenode.coordinator.verdicts import Verdicts
from hordenode.domain.baselines import Baselines
from hordenode.domain.entities import ANONYMOUS_ID, ANONYMOUS_KEY, User
from hordenode.domain.house import House
from hordenode.ops.clock import Clock
from hordenode.ops.ids import Ids
from hordenode.protocol.common import UNKNOWN_AGENT
from hordenode.protocol.errors import HordeError, PlainError
from hordenode.store import users as user_rows
from hordenode.store.database import Database
from hordenode.store.tx import Tx

MOST_DIGESTS = 1000  # of keys that were used lately
DECODED_AT_ONCE = 2  # source images: each may take a hundred megabytes for a moment


@dataclass(frozen=True, slots=True)
class Caller:
    """Who makes a call: by API key over HTTP, by user id inside the process."""

    apikey: str | None = None
    user_id: int | None = None
    client_agent: str = UNKNOWN_AGENT
    address: str = "127.0.0.1"
    base_url: str = ""

    @property
    def in_process(self) -> bool:
        return self.user_id is not None


@dataclass(frozen=True, slots=True)
class Rules:
    """What the owner decides about the coordinator."""

    fair: bool = True
    anonymous: bool = True
    kudos: bool = True
    max_upload: int = 20 * 2**20
    documents: Path | None = None  # where the owner's own texts are


class Turns:
    """Ever growing numbers by which lanes are ordered; they grow over restarts too, as the clock does."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._last = 0

    def next(self) -> int:
        self._last = max(self._last + 1, self._clock.now_ms() * 1000)
        return self._last


@dataclass(slots=True)
class Coordinator:
    """The horde that use cases work on. `stopping` refuses new requests while the node shuts down."""

    db: Database
    clock: Clock
    ids: Ids
    blobs: BlobStore
    signer: UrlSigner
    secret: bytes
    baselines: Baselines
    text_sizes: dict[str, float]
    rules: Rules = field(default_factory=Rules)
    guard: Guard = field(default_factory=Guard)
    house: House = field(default_factory=House)
    presence: Presence = field(default_factory=Presence)
    line: Line = field(default_factory=Line)
    verdicts: Verdicts = field(default_factory=Verdicts)
    specs: Specs = field(default_factory=Specs)
    doorbell: Doorbell = field(default_factory=Doorbell)
    decoding: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(DECODED_AT_ONCE))
    stopping: bool = False
    turns: Callable[[], int] = field(init=False)
    _digests: dict[str, bytes] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        self.turns = Turns(self.clock).next

    def digest(self, apikey: str) -> bytes:
        """What is stored of an API key."""
        known = self._digests.get(apikey)
        if known is None:
            if len(self._digests) >= MOST_DIGESTS:
                self._digests.clear()
            known = hmac.digest(self.secret, apikey.encode("utf-8", "surrogateescape"), hashlib.sha256)
            self._digests[apikey] = known
        return known

    def find_caller(self, tx: Tx, caller: Caller) -> User | None:
        """The calling user, None for a key that nobody has."""
        if caller.user_id is not None:
            return user_rows.find(tx, caller.user_id)
        if caller.apikey == ANONYMOUS_KEY:
            return user_rows.find(tx, ANONYMOUS_ID) if self.rules.anonymous else None
        return user_rows.by_key(tx, self.digest(caller.apikey)) if caller.apikey else None

    def authenticate(self, tx: Tx, caller: Caller) -> User:
        """The calling user; InvalidAPIKey when there is none."""
        user = self.find_caller(tx, caller)
        if user is None:
            raise HordeError("InvalidAPIKey")
        return user

    def check_open(self) -> None:
        """Refuses new requests while the node stops, or the horde is in maintenance."""
        if self.stopping:
            raise PlainError(503, "This node is shutting down. Try again in a moment.", retry_after=5)
        if self.house.modes.maintenance:
            raise HordeError("MaintenanceMode")

    def check_address(self, caller: Caller) -> None:
        """Refuses requests and pops from an address in timeout (contract 19)."""
        if self.house.timeouts and not caller.in_process:
            left = self.house.timeouts.seconds_left(caller.address, self.clock.now_ms())
            if left:
                raise HordeError("TimeoutIP", seconds=left)
