"""Kudos that people move: transfers, awards, and the page on which a user sees every movement (contract 10.8, 10.9)."""

from __future__ import annotations

from dataclasses import dataclass

from hordenode.coordinator.context import Caller, Coordinator
from hordenode.domain import kudos, transfers
from hordenode.domain import ledger as postings
from hordenode.domain.entities import OWNER_ID, SharedKey, User
from hordenode.domain.names import user_id_of
from hordenode.domain.transfers import SENT_BACK_MS, Transfer
from hordenode.ops.events import KudosMoved
from hordenode.protocol.errors import HordeError, ValidationFailed
from hordenode.protocol.kudos import KudosAwarded, KudosRequest, KudosTransferred, LedgerLine, LedgerPage, LedgerQuery
from hordenode.protocol.wire import MOST_KUDOS, rfc822, to_int64
from hordenode.store import holds, ledger, sharedkeys, suspicions, users
from hordenode.store import transfers as transfer_rows
from hordenode.store.ledger import KudosDetails, Line
from hordenode.store.tx import Tx

KEY_LENGTH = 255


async def transfer(
    co: Coordinator, caller: Caller, body: KudosRequest, idempotency_key: str | None
) -> KudosTransferred:
    """POST /kudos/transfer. With a key that was used before, only answers what was answered then."""
    if idempotency_key is not None and not 0 < len(idempotency_key) <= KEY_LENGTH:
        raise ValidationFailed({"Idempotency-Key": f"must have 1 to {KEY_LENGTH} characters"})
    amount = _thousandths(body)

    def move(tx: Tx) -> KudosTransferred:
        source = co.authenticate(tx, caller)
        known = transfer_rows.by_key(tx, source.id, idempotency_key) if idempotency_key else None
        if known is None:
            _transfer(tx, co, source, body.username, amount, idempotency_key)
        elif known != (body.username, amount):
            raise HordeError("IdempotencyKeyConflict")
        return KudosTransferred(transferred=kudos.kudos(amount))

    return await co.db.write(move)


@dataclass(frozen=True, slots=True)
class _Target:
    """Who gets the kudos, and by which shared key they were addressed."""

    user: User
    key: SharedKey | None = None


def _transfer(tx: Tx, co: Coordinator, source: User, name: str, amount: int, idempotency_key: str | None) -> None:
    if source.anonymous:
        raise HordeError("KudosTransferFromAnon")
    now = co.clock.now_ms()
    target = _target(tx, name, now)
    transfers.check(
        Transfer(
            source=source,
            target=target.user,
            amount=amount,
            available=available(tx, source),
            sent_back=transfer_rows.sent_since(tx, target.user.id, source.id, now - SENT_BACK_MS),
            source_suspicions=suspicions.of_user(tx, source.id),
            target_suspicions=suspicions.of_user(tx, target.user.id),
        )
    )
    _move(tx, source, target, amount, now)
    transfer_rows.add(tx, source.id, target.user.id, (name, amount), now, idempotency_key)


def _target(tx: Tx, name: str, now_ms: int) -> _Target:
    """The user of an alias, or the owner of a shared key."""
    key = sharedkeys.find(tx, name)
    user = _find(tx, name) if key is None else users.find(tx, key.user_id)
    if user is None:
        raise HordeError("InvalidTargetUsername", username=name)
    if key is not None and key.expires_ms is not None and key.expires_ms <= now_ms:
        raise HordeError("SharedKeyExpired", status=400)
    return _Target(user, key)


def _move(tx: Tx, source: User, target: _Target, amount: int, now: int) -> None:
    """Both halves of a transfer; what a shared key was sent also raises its budget."""
    user = target.user
    note = f" for the shared key {target.key.name or target.key.id}" if target.key else ""
    ledger.post(tx, postings.send(source, ledger.balance(tx, source.id), amount, f"to {user.alias}{note}"), now)
    arriving = postings.receive(user, ledger.balance(tx, user.id), amount, f"from {source.alias}{note}")
    ledger.post(tx, arriving, now)
    gift = KudosDetails(donated=-amount) if user.education else KudosDetails(gifted=-amount)
    ledger.add_details(tx, source.id, gift)
    ledger.add_details(tx, user.id, KudosDetails(received=amount))
    if target.key is not None:
        sharedkeys.add_budget(tx, target.key.id, amount)
    tx.emit(KudosMoved(account=source.id, amount=-amount))
    tx.emit(KudosMoved(account=user.id, amount=amount))


def available(tx: Tx, user: User) -> int:
    """What a user may spend at once: all above the floor that is not set aside for running requests (contract 5)."""
    return ledger.balance(tx, user.id) - kudos.floor_of(user) - holds.of_user(tx, user.id)


async def award(co: Coordinator, caller: Caller, body: KudosRequest) -> KudosAwarded:
    """POST /kudos/award: the owner of the horde makes kudos, or takes them with a negative amount."""
    amount = _thousandths(body)

    def give(tx: Tx) -> KudosAwarded:
        giver = co.authenticate(tx, caller)
        if giver.deleted:
            raise HordeError("DeletedUser", status=403)
        if giver.id != OWNER_ID:
            raise HordeError("NotAllowedAwards")
        target = _find(tx, body.username)
        if target is None:
            raise HordeError("InvalidAwardUsername", username=body.username)
        if target.anonymous:
            raise HordeError("KudosAwardToAnon")
        if target.deleted:
            raise HordeError("DeletedUser", status=403)
        if target.flagged:
            raise HordeError("InvalidAwardUsername", username=body.username)
        moved = postings.grant(target, ledger.balance(tx, target.id), amount, "award", f"by {giver.alias}")
        ledger.post(tx, moved, co.clock.now_ms())
        ledger.add_details(tx, target.id, KudosDetails(awarded=amount))
        tx.emit(KudosMoved(account=target.id, amount=amount))
        return KudosAwarded(awarded=kudos.kudos(amount))

    return await co.db.write(give)


async def page(co: Coordinator, caller: Caller, query: LedgerQuery) -> LedgerPage:
    """GET /api/node/v1/kudos: the caller's ledger; anybody's for a moderator."""

    def read(tx: Tx) -> LedgerPage:
        viewer = co.authenticate(tx, caller)
        user = viewer if query.user_id in (-1, viewer.id) else _foreign(tx, viewer, query.user_id)
        lines = ledger.page(tx, user.id, query.before, query.limit + 1)
        balance = ledger.balance(tx, user.id)
        left = balance - ledger.moved_since(tx, user.id, query.before)
        shown = []
        for line in lines[: query.limit]:
            shown.append(_line(line, user, viewer, left))
            left -= _change(line, user.id)
        return LedgerPage(
            username=user.alias,
            kudos=kudos.kudos(balance),
            held=kudos.kudos(ledger.details(tx, user.id).evaluating),
            lines=tuple(shown),
            next=shown[-1].id if len(lines) > query.limit else None,
        )

    return await co.db.read(read)


def _foreign(tx: Tx, viewer: User, user_id: int) -> User:
    if not viewer.moderator:
        raise HordeError("NotModerator")
    user = users.find(tx, user_id)
    if user is None:
        raise HordeError("UserNotFound", id=user_id)
    return user


def _line(line: Line, user: User, viewer: User, balance: int) -> LedgerLine:
    """Who knows a request's id can read and cancel it, so only its own sender is shown it: not the worker's owner, not a
    moderator, and nobody where all anonymous people share a page."""
    own_request = line.source == user.id == viewer.id and not user.anonymous
    held = line.amount * ((line.target == postings.EVALUATION) - (line.source == postings.EVALUATION))
    return LedgerLine(
        id=line.id,
        at=rfc822(line.at_ms),
        amount=kudos.kudos(_change(line, user.id)),
        held=kudos.kudos(held),
        balance=kudos.kudos(balance),
        what=postings.REASONS.get(line.reason, line.reason),
        how=line.note,
        request=line.request_id if own_request else None,
        job=line.job_id,
    )


def _change(line: Line, user_id: int) -> int:
    """What a line changed of the user's balance."""
    return line.amount * ((line.target == user_id) - (line.source == user_id))


def _find(tx: Tx, alias: str) -> User | None:
    user_id = user_id_of(alias)
    return None if user_id is None else users.find(tx, user_id)


def _thousandths(body: KudosRequest) -> int:
    amount = to_int64(body.amount)
    if abs(amount) > MOST_KUDOS:
        raise ValidationFailed({"amount": f"must be between -{MOST_KUDOS} and {MOST_KUDOS}"})
    return amount * 1000
