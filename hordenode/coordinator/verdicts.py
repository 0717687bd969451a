"""Remembered verdicts of matching: which offer can serve which signature (ARCHITECTURE 3.4).

A signature's needs never change and its id is never used again, so a verdict holds for ever; both memories only forget
when they grow too large.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from hordenode.domain.entities import Kind
from hordenode.domain.matching import Offer, mismatches
from hordenode.domain.needs import AlchemyNeeds, ImageNeeds, Needs, TextNeeds
from hordenode.store import queue
from hordenode.store.tx import Tx

_DECODERS: dict[Kind, msgspec.json.Decoder[Needs]] = {
    Kind.IMAGE: msgspec.json.Decoder(ImageNeeds),
    Kind.TEXT: msgspec.json.Decoder(TextNeeds),
    Kind.ALCHEMY: msgspec.json.Decoder(AlchemyNeeds),
}
_MOST_NEEDS = 20_000
_MOST_OFFERS = 256


def encode_needs(needs: Needs) -> str:
    """The canonical text of a set of needs, as the signatures table stores it."""
    return msgspec.json.encode(needs).decode()


class Judge:
    """The verdicts on one offer."""

    def __init__(self, offer: Offer) -> None:
        self.offer = offer
        self._verdicts: dict[int, tuple[str, ...]] = {}

    def verdict(self, signature: int, needs: Needs) -> tuple[str, ...]:
        """Why the offer cannot serve the signature; empty when it can."""
        known = self._verdicts.get(signature)
        if known is None:
            if len(self._verdicts) >= _MOST_NEEDS:
                self._verdicts.clear()
            known = self._verdicts[signature] = mismatches(needs, self.offer)
        return known


class Verdicts:
    def __init__(self) -> None:
        self._needs: dict[int, Needs] = {}
        self._ids: dict[Needs, int] = {}
        self._judges: dict[Offer, Judge] = {}

    def learn(self, signature: int, needs: Needs) -> None:
        """Remember the needs of a committed signature."""
        if len(self._needs) >= _MOST_NEEDS:
            self._needs, self._ids = {}, {}
        self._needs[signature] = needs
        self._ids[needs] = signature

    def forget(self, signatures: Iterable[int]) -> None:
        """These ids go, or may go."""
        for signature in signatures:
            needs = self._needs.pop(signature, None)
            if needs is not None:
                self._ids.pop(needs, None)

    def signature(self, needs: Needs) -> int | None:
        """The id of these needs if it is in memory."""
        return self._ids.get(needs)

    def needs(self, tx: Tx, kind: Kind, signature: int) -> Needs:
        """The needs of a signature, from memory or from the store."""
        known = self._needs.get(signature)
        if known is None:
            known = _DECODERS[kind].decode(queue.needs(tx, signature))
            self._needs[signature] = known
        return known

    def known(self, signature: int) -> Needs | None:
        """The needs of a signature if they are in memory."""
        return self._needs.get(signature)

    def judge(self, offer: Offer) -> Judge:
        """What is known of an offer; equal offers share it."""
        judge = self._judges.get(offer)
        if judge is None:
            if len(self._judges) >= _MOST_OFFERS:
                self._judges = {}
            judge = self._judges[offer] = Judge(offer)
        return judge
