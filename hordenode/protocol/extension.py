"""What the v2 API has no words for: the `hordenode` object in the params of a text request and in a job's payload.

A request with one is handed only to workers that know it (domain/capabilities.py); v2 alone never sends it. What such a
request asked to be told of its text stands in a `hordenode` object of its submission and of its generation.
"""

from __future__ import annotations

from typing import Annotated, Any

from msgspec import UNSET, Meta, UnsetType

from hordenode.protocol.wire import INT64_MAX, FreeObject, Request, rule, storable

LONGEST = 262_144  # characters of a constraint
LONGEST_NUMBER, MOST_BIAS = 9, 100
MOST_LIKELY, MOST_TOKENS = 20, 4096  # 4096: the longest text that v2 knows
LONGEST_TOKEN = 4096  # characters
LEAST_LOGPROB = -9999.0  # of what cannot come: JSON has no infinity

Constraint = Annotated[str, Meta(min_length=1, max_length=LONGEST)]
Positive = Annotated[float, Meta(ge=0.0)]
Penalty = Annotated[float, Meta(ge=-2.0, le=2.0)]
KINDS = ("json_schema", "regex", "grammar")


def biases(value: Any) -> None:
    """Rule of logit_bias: token numbers to numbers from -100 to 100."""
    for token, change in value.items():
        if not token.isdecimal() or len(token) > LONGEST_NUMBER:
            raise ValueError(f"{token!r:.60} is not a token number")
        if isinstance(change, bool) or not isinstance(change, int | float) or not abs(change) <= MOST_BIAS:
            raise ValueError(f"the bias of token {token} is not a number from -{MOST_BIAS} to {MOST_BIAS}")


class ChatMessage(Request, frozen=True, kw_only=True):
    """A turn of a conversation, for the model's own chat template."""

    role: Annotated[str, Meta(min_length=1, max_length=64)]
    content: str


class TextExtension(Request, frozen=True, kw_only=True):
    """`messages`: a conversation in place of the prompt. At most one of `json_schema`, `regex` and `grammar` (Lark).

    `logprobs`: tell with each token how likely it was, and so many others. `logit_bias`: token number to what is added
    to its logit. The others are samplers of the engine under their usual names (engine/jobs.py, TextJob).
    """

    messages: tuple[ChatMessage, ...] = ()
    json_schema: FreeObject | UnsetType = UNSET
    regex: Constraint | UnsetType = UNSET
    grammar: Constraint | UnsetType = UNSET
    logprobs: Annotated[int, Meta(ge=0, le=MOST_LIKELY)] | UnsetType = UNSET
    presence_penalty: Penalty | UnsetType = UNSET
    frequency_penalty: Penalty | UnsetType = UNSET
    logit_bias: Annotated[dict[str, Any], rule(biases)] | UnsetType = UNSET
    mirostat_tau: Positive | UnsetType = UNSET
    mirostat_eta: Positive | UnsetType = UNSET
    xtc_probability: Positive | UnsetType = UNSET
    xtc_threshold: Positive | UnsetType = UNSET
    dry_multiplier: Positive | UnsetType = UNSET
    dry_base: Positive | UnsetType = UNSET
    dry_allowed_length: Annotated[int, Meta(ge=0, le=1024)] | UnsetType = UNSET
    dry_range: Annotated[int, Meta(ge=0, le=1_048_576)] | UnsetType = UNSET
    dry_breakers: tuple[str, ...] | UnsetType = UNSET
    user: str | UnsetType = UNSET  # in payloads alone: whose turn it is, known only inside one process

    def __post_init__(self) -> None:
        if sum(getattr(self, kind) is not UNSET for kind in KINDS) > 1:
            raise ValueError("Only one of json_schema, regex and grammar can be followed.")
        if self.json_schema is not UNSET:
            storable(self.json_schema)
        if self.logit_bias is not UNSET:
            biases(self.logit_bias)


class LikelyToken(Request, frozen=True, kw_only=True):
    """A token, its text (of half a character U+FFFD) and the logarithm of its probability, before any sampler."""

    token: Annotated[int, Meta(ge=0, le=INT64_MAX)]
    text: Annotated[str, Meta(max_length=LONGEST_TOKEN)]
    logprob: Annotated[float, Meta(ge=LEAST_LOGPROB, le=0.0)]


class TokenLikelihood(LikelyToken, frozen=True, kw_only=True):
    """A token that was written, and the likeliest in its place, the likeliest first."""

    top: Annotated[tuple[LikelyToken, ...], Meta(max_length=MOST_LIKELY)] = ()


Likelihoods = Annotated[tuple[TokenLikelihood, ...], Meta(max_length=MOST_TOKENS)]


class TextMade(Request, frozen=True, kw_only=True):
    """What is told of a finished text. `logprobs`: of its tokens in their order, where the request asked for them."""

    logprobs: Likelihoods = ()


def given(extension: TextExtension) -> dict[str, Any]:
    """The members that were given."""
    members = {name: getattr(extension, name) for name in extension.__struct_fields__}
    return {name: value for name, value in members.items() if value not in (UNSET, ())}
