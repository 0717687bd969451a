"""What every use case needs: the store, the clock, who calls, and what is only kept in memory."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
from collections.abc import Callable, Container
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from hordenode.blobs.base import BlobStore
from hordenode.blobs.recent import Recent
from hordenode.blobs.signing import UrlSigner
from hordenode.client.guard import Guard
from hordenode.coordinator.activity import Activity
from hordenode.coordinator.board import Board
from hordenode.coordinator.doorbell import Doorbell
from hordenode.coordinator.guesses import Guesses
from hordenode.coordinator.line import Line
from hordenode.coordinator.live import Live
from hordenode.coordinator.presence import Presence
from hordenode.coordinator.specs import Specs
from hordenode.coordinator.streams import Streams
from hordenode.coordinator.verdicts import Verdicts
from hordenode.coordinator.waiters import Waiters
from hordenode.domain import words
from hordenode.domain.baselines import Baselines
from hordenode.domain.entities import ANONYMOUS_ID, ANONYMOUS_KEY, User
from hordenode.domain.filters import FilterSet
from hordenode.domain.house import House
from hordenode.ops.clock import Clock
from hordenode.ops.ids import Ids
from hordenode.ops.metrics import Metrics
from hordenode.ops.networks import Networks
from hordenode.protocol.common import UNKNOWN_AGENT
from hordenode.protocol.errors import HordeError, PlainError
from hordenode.store import users as user_rows
from hordenode.store.database import Database
from hordenode.store.tx import Tx

MOST_DIGESTS = 1000  # of keys that were used lately
RECENT_INLINE = 4 * 2**20  # characters
DECODED_AT_ONCE = 2  # source images: each may take a hundred megabytes for a moment


class Caller(msgspec.Struct, frozen=True):
    """Who makes a call: by API key over HTTP, by user id inside the process.

    proxy: (passkey, address) where a service speaks for somebody at that address.
    """

    apikey: str | None = None
    user_id: int | None = None
    client_agent: str = UNKNOWN_AGENT
    address: str = "127.0.0.1"
    base_url: str = ""
    proxy: tuple[str, str] | None = None

    @property
    def in_process(self) -> bool:
        return self.user_id is not None


@dataclass(frozen=True, slots=True)
class Rules:
    """What the owner decides about the coordinator.

    registration: who may make an account, `closed`, `invite` or `open`. workers_per_address: of one user, 0 for as many
    as the user may run. trust_after: held-back kudos that make a user trusted, 0 for never.
    """

    fair: bool = True
    anonymous: bool = True
    kudos: bool = True
    upfront: bool = False
    max_upload: int = 20 * 2**20
    backlog: int = 4000
    max_running: int = 0
    ledger_days: int = 0
    idle_days: int = 7
    metrics_allow: Container[str] = Networks(("127.0.0.0/8", "::1/128"))
    registration: str = "closed"
    refused_words: tuple[str, ...] = ()
    workers_per_address: int = 0
    trust_after: int = 0

    def check_words(self, text: str, rc: str) -> None:
        """Raises HordeError(rc) for a text with a word that the owner does not want."""
        if words.refused(text, self.refused_words):
            raise HordeError(rc)

    documents: Path | None = None  # where the owner's own texts are


class Turns:
    """Ever growing numbers by which lanes are ordered; they grow over restarts too, as the clock does."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._last = 0

    def pass_over(self, turn: int) -> None:
        """Go on after this one, which is stored: the clock may have been set back meanwhile."""
        self._last = max(self._last, turn)

    def next(self) -> int:
        self._last = max(self._last + 1, self._clock.now_ms() * 1000)
        return self._last


class Deliveries:
    """Numbers deliveries in the order of their commits, over restarts too (coordinator/statistics.py)."""

    def __init__(self) -> None:
        self._last = 0

    def start_after(self, number: int) -> None:
        self._last = max(self._last, number)

    def next(self) -> int:
        self._last += 1
        return self._last


@dataclass(slots=True)
class Coordinator:
    """The horde that use cases work on. `stopping` refuses new requests while the node shuts down.

    inline: the base64 of pictures that came so, for those who ask for it.
    announce: tells of an event that no transaction brought (coordinator/changes.py); set by whoever builds this.
    """

    db: Database
    telemetry: Database
    clock: Clock
    ids: Ids
    blobs: BlobStore
    signer: UrlSigner
    secret: bytes
    baselines: Baselines
    text_sizes: dict[str, float]
    rules: Rules = field(default_factory=Rules)
    guard: Guard = field(default_factory=Guard)
    metrics: Metrics = field(default_factory=Metrics)
    house: House = field(default_factory=House)
    presence: Presence = field(default_factory=Presence)
    line: Line = field(default_factory=Line)
    verdicts: Verdicts = field(default_factory=Verdicts)
    specs: Specs = field(default_factory=Specs)
    doorbell: Doorbell = field(default_factory=Doorbell)
    filters: FilterSet = field(default_factory=FilterSet)
    deliveries: Deliveries = field(default_factory=Deliveries)
    decoding: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(DECODED_AT_ONCE))
    live: Live = field(default_factory=Live)
    streams: Streams = field(default_factory=Streams)
    inline: Recent[str] = field(default_factory=lambda: Recent[str](RECENT_INLINE))
    activity: Activity = field(default_factory=Activity)
    board: Board = field(default_factory=Board)
    stopping: bool = False
    waiters: Waiters = field(init=False)
    turns: Turns = field(init=False)
    guesses: Guesses = field(init=False)
    announce: Callable[[object], None] = field(init=False)
    _digests: dict[str, bytes] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        self.turns = Turns(self.clock)
        self.guesses = Guesses(self.clock)
        self.waiters = Waiters(self.verdicts, self.line)

    async def close(self) -> None:
        """Finish what is being written, and close files and databases."""
        await self.blobs.close()
        await self.telemetry.close()
        await self.db.close()

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
        if not caller.apikey:
            return None
        digest = self.digest(caller.apikey)
        user = user_rows.by_key(tx, digest)
        if user is not None:
            self.activity.saw(user.id, digest, self.clock.now_ms())
        return user

    def authenticate(self, tx: Tx, caller: Caller) -> User:
        """The calling user; InvalidAPIKey when there is none."""
        user = self.find_caller(tx, caller)
        if user is None:
            raise HordeError("InvalidAPIKey")
        return user

    def stop(self) -> None:
        """Refuse what is new, and answer those who wait."""
        self.stopping = True
        self.waiters.close()
        self.streams.close()
        self.doorbell.ring_all()

    def address_of(self, tx: Tx, caller: Caller) -> str:
        """The client's address: what a service with a passkey says it is ([FIX] contract 1: its own passkey)."""
        if caller.proxy is None or user_rows.by_passkey(tx, caller.proxy[0]) is None:
            return caller.address
        return caller.proxy[1]

    def check_open(self) -> None:
        """Refuses new requests while the node stops, is overloaded, or the horde is in maintenance."""
        if self.stopping:
            raise PlainError(503, "This node is shutting down. Try again in a moment.", retry_after=5)
        if self.db.waiting > self.rules.backlog:
            raise PlainError(503, "The horde is overloaded. Try again in a moment.", retry_after=2)
        if self.house.modes.maintenance:
            raise HordeError("MaintenanceMode")

    def check_address(self, tx: Tx, caller: Caller) -> None:
        """Refuses requests and pops from an address in timeout (contract 19)."""
        if self.house.timeouts and not caller.in_process:
            left = self.house.timeouts.seconds_left(self.address_of(tx, caller), self.clock.now_ms())
            if left:
                raise HordeError("TimeoutIP", seconds=left)
