"""A machine joins as a worker, with a code (`hordenode join`), or the owner gives a worker of another program a key.

It gets an account of its own and not a key of its host's: it can do nothing in the host's name, and when it goes, the
rest stays. Its key is derived from the code and a secret of the machine, so that repeating a call whose answer was lost
gives the same key, while the code works for nobody else; the node stores neither.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import itertools

from hordenode.coordinator import invitations
from hordenode.coordinator.accounts import NAME_LENGTH, NewUser, clean_name, make_user
from hordenode.coordinator.context import Caller, Coordinator
from hordenode.domain import codes
from hordenode.domain.entities import Invitation, User
from hordenode.domain.names import worker_names
from hordenode.protocol.joining import Joined, NewJoin
from hordenode.protocol.wire import rfc822
from hordenode.store import invitations as invitation_rows
from hordenode.store import users, workers
from hordenode.store.tx import Tx

KEY_LENGTH = 22  # contract 2.1


async def join(co: Coordinator, caller: Caller, body: NewJoin) -> Joined:
    """Use up a worker's code. Forbidden for one that is no good; 429 after too many of those; ProfaneWorkerName, BadRequest."""
    co.rules.check_words(body.name, "ProfaneWorkerName")
    apikey = _key(co, codes.plain(body.code), body.attempt)

    def store(tx: Tx) -> User:
        co.check_address(tx, caller)
        found = invitations.find(tx, co, body.code, worker=True)
        owner = users.by_key(tx, co.digest(apikey))
        if owner is not None and owner.id == found.joined_id:
            return owner  # the same machine again: the answer was lost
        invitations.check_valid(co, found, lambda: _use(tx, found))
        user = make_worker_account(tx, co, body.name, apikey, trusted=found.trusted)
        invitation_rows.joined(tx, found.digest, user.id, co.clock.now_ms())
        return user

    with co.guesses.attempt(caller.address):
        user = await co.db.write(store)
    return Joined(username=user.alias, id=user.id, apikey=apikey, name=user.name)


def make_worker_account(tx: Tx, co: Coordinator, name: str, apikey: str, *, trusted: bool) -> User:
    """An account for one machine, which may run a worker of each kind also where workers need an invitation."""
    new = NewUser(_free_name(tx, clean_name(name)), trusted=trusted, worker_invited=len(worker_names("")))
    return make_user(tx, co, new, apikey)


def _free_name(tx: Tx, name: str) -> str:
    """The name, or with a number behind it the first that neither users nor workers have."""
    for number in itertools.count(1):
        ending = "" if number == 1 else f" {number}"
        wanted = name[: NAME_LENGTH - len(ending)].rstrip() + ending
        names = worker_names(wanted).values()
        if not users.by_name(tx, wanted) and not any(workers.by_name(tx, each) for each in names):
            return wanted
    raise AssertionError("numbers do not end")


def _key(co: Coordinator, code: str, attempt: str) -> str:
    raw = hmac.digest(co.secret, f"join\n{code}\n{attempt}".encode("utf-8", "surrogateescape"), hashlib.sha256)
    return base64.urlsafe_b64encode(raw).decode()[:KEY_LENGTH]


def _use(tx: Tx, found: Invitation) -> str:
    machine = None if found.joined_id is None else users.find(tx, found.joined_id)
    who = "" if machine is None else f" by '{machine.name}'"
    return who if found.joined_ms is None else f"{who} on {rfc822(found.joined_ms)}"
