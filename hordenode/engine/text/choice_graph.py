"""Small graphs that choose tokens as samplers.py does, where a step has no time for numpy.

`choice` has the usual filters and the dice: penalty, top_k, top_p, temperature, draw. It works on the highest logits of
some texts [texts, few], in double precision. Numpy is asked forty times for that, and each time waits for its code to come
from memory, where a model's weights have driven it. `open_draw` has the dice for any token of a vocabulary: most of the
time goes into exponentials, for which numpy takes four times as long.
"""

from __future__ import annotations

from collections.abc import Mapping

from hordenode.engine.text.graph_bytes import (
    BOOL,
    DOUBLE,
    FLOAT,
    INPUT,
    INT64,
    OUTPUT,
    end,
    made,
    model,
    one,
    real,
    whole,
)
from hordenode.engine.text.last_token import SPAN

OPSET = 18

# Inputs: the highest logits, falling, and their tokens [texts, few]; `few` itself [1]; what was seen [texts, vocabulary].
LOGITS, TOKENS, FEW, SEEN = "logits", "tokens", "few", "seen"
# Of each text [texts, 1]: its penalty, the place of top_k's last, top_p, 1 / temperature, where the dice fell.
STRENGTH, LAST, SHARE, SHARPNESS, POINT = "strength", "last", "share", "sharpness", "point"
# Outputs [texts, 1]: the token, and whether it may count: top_k's last is above all that was not told.
CHOSEN, ENOUGH = "chosen", "enough"

CHOICE_INPUTS = {
    LOGITS: FLOAT,
    TOKENS: INT64,
    FEW: INT64,
    SEEN: BOOL,
    LAST: INT64,
    **dict.fromkeys((STRENGTH, SHARE, SHARPNESS, POINT), DOUBLE),
}
OPEN_INPUTS = {LOGITS: FLOAT, SHARPNESS: FLOAT, POINT: DOUBLE}  # all logits [texts, vocabulary]
CONSTANTS = (
    *(whole(b"first", [0]), whole(b"end", [-1]), whole(b"columns", [1]), whole(b"within", [2]), real(b"zero", 0.0)),
    *(whole(b"stretches", [0, -1, SPAN]), whole(b"span", [SPAN]), real(b"below", 1 - 2**-52)),
)


class _Sheet:
    """Operators in the order in which they are asked for, each with the name of what it makes."""

    def __init__(self) -> None:
        self.nodes: list[bytes] = []

    def __call__(self, kind: str, *inputs: str, **attributes: int) -> str:
        """What an operator makes of its inputs."""
        return self._add(str(len(self.nodes)), kind, inputs, attributes)

    def out(self, name: str, kind: str, *inputs: str, **attributes: int) -> None:
        """The same as an output."""
        self._add(name, kind, inputs, attributes)

    def sort(self, values: str, **attributes: int) -> tuple[str, str]:
        """Each row in falling order, unless told otherwise, of equals the left one first; and where each one was."""
        places = f"{len(self.nodes)}.places"
        return self._add(str(len(self.nodes)), "TopK", (values, FEW), {"axis": 1, **attributes}, places), places

    def at(self, values: str, places: str) -> str:
        """Of each row the values at some places."""
        return self("GatherElements", values, places, axis=1)

    def column(self, values: str, index: str) -> str:
        """One column [texts, 1]."""
        return self("Gather", values, index, axis=1)

    def where(self, condition: str, values: str) -> str:
        """The values for which it is true, and 0 for the others."""
        return self("Where", condition, values, "zero")

    def count(self, condition: str) -> str:
        """For how many columns it is true [texts, 1]."""
        return self("ReduceSum", self("Cast", condition, to=INT64), "columns")

    def model(self, inputs: Mapping[str, int], outputs: Mapping[str, int]) -> bytes:
        """What was asked for, with the types of what comes in and out."""
        ends = [*((INPUT, each) for each in inputs.items()), *((OUTPUT, each) for each in outputs.items())]
        return model(b"".join((*self.nodes, *CONSTANTS, *(end(kind, *each) for kind, each in ends))), OPSET)

    def _add(self, name: str, kind: str, inputs: tuple[str, ...], attributes: dict[str, int], more: str = "") -> str:
        numbers = (one(key.encode(), value) for key, value in attributes.items())
        names = (each.encode() for each in inputs)
        self.nodes.append(made(kind.encode(), names, name.encode(), *numbers, more=more.encode()))
        return name


def choice() -> bytes:
    """The model. Candidates lie side by side from left to right, as when they are drawn from a whole row."""
    do = _Sheet()
    tokens, order = do.sort(TOKENS, largest=0)
    told = do("Cast", LOGITS, to=DOUBLE)
    logits = do.at(told, order)
    weaker = do("Min", do("Div", logits, STRENGTH), do("Mul", logits, STRENGTH))
    logits = do("Where", do.at(SEEN, tokens), weaker, logits)

    ranked, rank = do.sort(logits)
    last = do.at(ranked, LAST)
    do.out(ENOUGH, "Greater", last, do.column(told, "end"))
    weights = do("Exp", do("Sub", ranked, do.column(ranked, "first")))
    weights = do.where(do("GreaterOrEqual", ranked, last), weights)
    reached = do("CumSum", weights, "columns")
    enough = do("Mul", SHARE, do.column(reached, "end"))
    weights = do.where(do("Less", do("Sub", reached, weights), enough), weights)
    weights = do("Pow", weights, SHARPNESS)

    edges = do("CumSum", do("ScatterElements", weights, rank, weights, axis=1), "columns")
    passed = do.count(do("LessOrEqual", edges, do("Mul", POINT, do.column(edges, "end"))))
    do.out(CHOSEN, "GatherElements", tokens, passed, axis=1)
    return do.model(CHOICE_INPUTS, {CHOSEN: INT64, ENOUGH: BOOL})


def open_draw() -> bytes:
    """The model, for all logits of a vocabulary of whole spans.

    First it finds the span in which a point is, then the token in it.
    """
    do = _Sheet()
    chances = do("Softmax", do("Mul", LOGITS, SHARPNESS), axis=1)
    spans = do("Reshape", chances, "stretches")
    edges = do("CumSum", do("Cast", do("ReduceSum", spans, "within", keepdims=0), to=DOUBLE), "columns")
    goal = do("Mul", POINT, do.column(edges, "end"))
    is_before = do("LessOrEqual", edges, goal)
    span = do.count(is_before)
    start = do("ReduceMax", do.where(is_before, edges), "columns")

    edges = do("CumSum", do("Cast", do("GatherND", spans, span, batch_dims=1), to=DOUBLE), "columns")
    # A sum in single precision may be more than the exact one is.
    within = do("Min", do("Sub", goal, start), do("Mul", do.column(edges, "end"), "below"))
    token = do.count(do("LessOrEqual", edges, within))
    do.out(CHOSEN, "Add", do("Mul", span, "span"), token)
    return do.model(OPEN_INPUTS, {CHOSEN: INT64})
