"""What sampling knows of a text, and what its settings ask for: which filters, in which order."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from hordenode.engine.jobs import TextJob, UnsupportedJob
from hordenode.engine.text import penalties, samplers
from hordenode.engine.text.guide import Guide
from hordenode.engine.text.history import History
from hordenode.engine.text.samplers import Logits

ORDER = (6, 0, 1, 3, 4, 2, 5)
TEMPERATURE, PENALTIES = 5, 6
SPARE = 8  # candidates beside top_k's, as long as they were enough
NOT_NEGATIVE = (
    *("temperature", "dynatemp_range", "smoothing_factor", "top_k", "top_a", "min_p", "rep_pen_slope"),
    *("mirostat_tau", "xtc_probability", "dry_multiplier", "dry_base"),
)


@dataclass(frozen=True, slots=True, eq=False)
class Filter:
    """A function of logits and columns of `settings`, applied to the rows whose job is not at rest by `on`."""

    apply: Callable[..., Logits]
    settings: tuple[str, ...]
    on: Callable[[TextJob], bool]


Step = Filter | None  # None: the penalties
Steps = tuple[Step, ...]


@dataclass(slots=True)
class Draft:
    """What sampling knows of a text: its settings, its tokens of which the first `prompt` were given, its randomness.

    `banned`: tokens that may not come; `breakers`: where a repetition ends; `guide`: what form the text must have;
    `steps`: what is on, in its order; `surprise`: the most that mirostat lets through now, in bits. And what that
    allows: `sure`, the likeliest token is taken as it is; `short`, the steps begin with what needs few tokens alone;
    `open`, any token may come, as likely as it is at its temperature. `penalised`: the penalties come first;
    `behind`: the steps that come behind them and top_k, where it is short; `plain`: all is as most texts have it, as
    Chooser does it; `spare`: how many candidates are wanted beside top_k's, as some were seen; `few`: how many of the
    highest logits that makes; `strength`: of a penalty that reaches all that was seen alike, if it is by that alone.
    """

    job: TextJob
    tokens: list[int]
    prompt: int
    random: np.random.Generator
    banned: tuple[int, ...] = ()
    breakers: frozenset[int] = frozenset()
    guide: Guide | None = None
    steps: Steps = field(init=False)
    history: History = field(init=False)
    sure: bool = field(init=False)
    short: bool = field(init=False)
    open: bool = field(init=False)
    penalised: bool = field(init=False)
    behind: Steps = field(init=False)
    plain: bool = field(init=False)
    surprise: float = field(init=False)
    spare: int = field(init=False, default=SPARE)
    few: int = field(init=False)
    strength: float | None = field(init=False)
    _thrown: float | None = field(init=False, default=None)

    def __post_init__(self) -> None:
        self.steps = steps_of(self.job)
        free = not self.job.logit_bias and self.guide is None
        self.sure = free and not self.banned and not self.steps and self.job.temperature == 0
        self.short = free and _is_short(self.steps, self.job)
        self.open = free and _is_open(self.steps, self.job)
        self.penalised = self.steps[:1] == (None,)
        self.behind = self.steps[self.penalised + 1 :]
        self.history = History(self.tokens)
        self.surprise = 2 * self.job.mirostat_tau
        self.strength = penalties.everywhere(self.job)
        self.few = samplers.room(self.job.top_k + self.spare)
        alike = self.strength is not None or not self.penalised
        self.plain = self.short and alike and not self.banned and _is_plain(self.behind, self.job)

    def throw(self) -> float:
        """Where the dice fall, from 0 to below 1."""
        thrown, self._thrown = self._thrown, None
        return self.random.random() if thrown is None else thrown

    def put_back(self, point: float) -> None:
        """What `throw` gives the next time: it was not needed."""
        self._thrown = point

    def look_further(self) -> None:
        """There were too few candidates."""
        self.spare = min(2 * self.spare, samplers.GROUPS // 4)
        self.few = samplers.room(self.job.top_k + self.spare)


def _is_curved(job: TextJob) -> bool:
    """Whether the temperature differs from token to token, or from step to step."""
    return job.dynatemp_range > 0 or job.smoothing_factor > 0


FILTERS: dict[int, tuple[Filter, ...]] = {
    0: (Filter(samplers.keep_top_k, ("top_k",), lambda job: job.top_k > 0),),
    1: (Filter(samplers.keep_top_a, ("top_a",), lambda job: job.top_a > 0),),
    2: (
        Filter(samplers.keep_top_p, ("top_p",), lambda job: job.top_p < 1),
        Filter(samplers.keep_min_p, ("min_p",), lambda job: job.min_p > 0),
    ),
    3: (Filter(samplers.keep_tail_free, ("tfs",), lambda job: 0 < job.tfs < 1),),
    4: (Filter(samplers.keep_typical, ("typical",), lambda job: 0 < job.typical < 1),),
    5: (
        Filter(samplers.cool, ("temperature",), lambda job: job.temperature != 1 and not _is_curved(job)),
        Filter(
            samplers.temper,
            ("temperature", "dynatemp_range", "dynatemp_exponent", "smoothing_factor"),
            _is_curved,
        ),
    ),
}

TOP_K, TOP_P, COOL = FILTERS[0][0], FILTERS[2][0], FILTERS[5][0]


def check(job: TextJob) -> None:
    """Raises UnsupportedJob for settings that mean nothing."""
    for name in NOT_NEGATIVE:
        if not getattr(job, name) >= 0:
            raise UnsupportedJob(f"{name} is {getattr(job, name)}; it must be 0 or more.")
    if not job.rep_pen > 0:
        raise UnsupportedJob(f"rep_pen is {job.rep_pen}; it must be above 0.")


def steps_of(job: TextJob) -> Steps:
    """What is on, in order. The likeliest token needs the penalties alone."""
    order = _full(job.sampler_order) if job.temperature > 0 else (PENALTIES,)
    if job.temperature > 0 and job.mirostat_tau > 0:
        order = (PENALTIES, TEMPERATURE)
    steps: list[Step] = []
    for number in order:
        if number == PENALTIES:
            steps += [None] if _is_penalised(job) else []
        else:
            steps += [each for each in FILTERS[number] if each.on(job)]
    return tuple(steps)


def _full(order: tuple[int, ...]) -> tuple[int, ...]:
    """An order names all: what it leaves out comes as it usually does."""
    known = tuple(dict.fromkeys(number for number in order if number in ORDER))
    return known + tuple(number for number in ORDER if number not in known)


def _is_penalised(job: TextJob) -> bool:
    return job.rep_pen != 1.0 or job.dry_multiplier > 0 or bool(job.presence_penalty or job.frequency_penalty)


def _is_short(steps: Steps, job: TextJob) -> bool:
    """Whether top_k comes first, or after penalties that only lower what was seen; these never come later."""
    narrow = steps[:1] == (TOP_K,) or steps[:2] == (None, TOP_K)
    return narrow and None not in steps[1:] and penalties.only_lower(job) and 2 * job.top_k <= samplers.GROUPS


def _is_plain(behind: Steps, job: TextJob) -> bool:
    """Whether behind a top_k nothing comes but top_p, then temperature, then the dice."""
    return behind in ((), (TOP_P,), (COOL,), (TOP_P, COOL)) and job.temperature > 0 and job.xtc_probability == 0


def _is_open(steps: Steps, job: TextJob) -> bool:
    return steps in ((), (COOL,)) and job.temperature > 0 and job.mirostat_tau == job.xtc_probability == 0
