"""What stored requests ask for: read from the store once, then remembered, since a spec never changes."""

from __future__ import annotations

import msgspec

from hordenode.domain.entities import Kind, WaitingPrompt
from hordenode.domain.spec import AlchemySpec, ImageSpec, Spec, TextSpec
from hordenode.store import requests
from hordenode.store.tx import Tx

MOST_SPECS = 1024
LONGEST_PROMPT = 8192  # characters of a spec that is worth remembering
_DECODERS: dict[Kind, msgspec.json.Decoder[Spec]] = {
    Kind.IMAGE: msgspec.json.Decoder(ImageSpec),
    Kind.TEXT: msgspec.json.Decoder(TextSpec),
    Kind.ALCHEMY: msgspec.json.Decoder(AlchemySpec),
}


def encode_spec(spec: Spec) -> str:
    """A spec as it is stored."""
    return msgspec.json.encode(spec).decode()


class Specs:
    """The specs of the latest requests by request id; the oldest make room."""

    def __init__(self) -> None:
        self._known: dict[str, Spec] = {}

    def learn(self, request_id: str, spec: Spec) -> None:
        """Remember the spec of a committed request."""
        if len(spec.prompt) > LONGEST_PROMPT:
            return
        if len(self._known) >= MOST_SPECS:
            del self._known[next(iter(self._known))]
        self._known[request_id] = spec

    def known(self, request_id: str) -> Spec | None:
        """What the request asks for, if that is remembered."""
        return self._known.get(request_id)

    def of(self, tx: Tx, wp: WaitingPrompt) -> Spec:
        """What the request asks for."""
        known = self._known.get(wp.id)
        if known is None:
            known = _DECODERS[wp.kind].decode(requests.spec(tx, wp.id))
            self.learn(wp.id, known)
        return known

    def last(self, tx: Tx, wp: WaitingPrompt) -> Spec:
        """What a request that is about to go asked for: forgotten, so that no other one has to make room."""
        known = self._known.pop(wp.id, None)
        return _DECODERS[wp.kind].decode(requests.spec(tx, wp.id)) if known is None else known
