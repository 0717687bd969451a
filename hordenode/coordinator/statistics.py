"""Totals of what was delivered (contract 18): counted from the jobs themselves, so that they are exact whatever happens.

Each delivery gets the next sequence number in the very statement that stores its result. Counting reads the jobs after
the last counted number and adds them up in telemetry.db, in one transaction with the new number: a node that is killed
goes on counting where it stopped. Nothing is written for it while jobs are served, and requests are only deleted once
their jobs are counted.
"""

from __future__ import annotations

from hordenode.coordinator.context import Coordinator
from hordenode.domain.entities import Kind
from hordenode.domain.statistics import WINDOWS, Count, slices, width
from hordenode.protocol.errors import HordeError
from hordenode.protocol.statistics import (
    ImageCount,
    ImageTotals,
    ModelTotals,
    TextCount,
    TextTotals,
)
from hordenode.store import jobs, statistics
from hordenode.store.tx import Tx

CHUNK = 2000
STATES = ("known", "custom", "all")


async def load_sequence(co: Coordinator) -> None:
    """At start: go on with the numbers where the last run of the node stopped."""
    counted = await co.telemetry.read(statistics.position)
    co.deliveries.start_after(max(counted, await co.db.read(jobs.last_sequence)))


async def count_deliveries(co: Coordinator) -> None:
    """Count what was delivered since the last time."""
    while await _count_some(co):
        pass


async def _count_some(co: Coordinator) -> bool:
    """Count the next chunk of deliveries; False when there are none."""
    before = await co.telemetry.read(statistics.position)
    delivered = await co.db.read(lambda tx: jobs.delivered_after(tx, before, CHUNK))
    if not delivered:
        return False
    counts = slices(delivered)

    def add(tx: Tx) -> None:
        if statistics.position(tx) == before:  # else somebody else has counted these meanwhile
            statistics.add(tx, counts, delivered[-1].sequence)

    await co.telemetry.write(add)
    return True


async def prune_slices(co: Coordinator) -> None:
    """Forget slices that no window reaches any more."""
    now = co.clock.now_ms()

    def prune(tx: Tx) -> None:
        for window, length in WINDOWS.items():
            statistics.prune(tx, width(window), now - 2 * length)

    await co.telemetry.write(prune)


async def image_totals(co: Coordinator) -> ImageTotals:
    """GET /stats/img/totals."""
    sums = await _sums(co, Kind.IMAGE)
    return ImageTotals(**{name: ImageCount(images=count.jobs, ps=count.things) for name, count in sums.items()})


async def text_totals(co: Coordinator) -> TextTotals:
    """GET /stats/text/totals."""
    sums = await _sums(co, Kind.TEXT)
    return TextTotals(**{name: TextCount(requests=count.jobs, tokens=count.things) for name, count in sums.items()})


async def model_totals(co: Coordinator, kind: Kind, model_state: str) -> ModelTotals:
    """GET /stats/{kind}/models. BadRequest for an unknown model_state."""
    if model_state not in STATES:
        raise HordeError("BadRequest", reason="model_state must be 'known', 'custom' or 'all'.")

    def wanted(model: str) -> bool:
        return model_state == "all" or co.baselines.known(model) == (model_state == "known")

    found = await _by_model(co, kind, ("day", "month"))
    return ModelTotals(
        **{
            name: {model: count.jobs for model, count in sorted(models.items()) if wanted(model)}
            for name, models in found.items()
        }
    )


async def _sums(co: Coordinator, kind: Kind) -> dict[str, Count]:
    found = await _by_model(co, kind, tuple(WINDOWS))
    return {
        name: Count(sum(count.jobs for count in models.values()), sum(count.things for count in models.values()))
        for name, models in found.items()
    }


async def _by_model(co: Coordinator, kind: Kind, windows: tuple[str, ...]) -> dict[str, dict[str, Count]]:
    """Counts by model in each of these windows and in total."""
    await count_deliveries(co)
    now = co.clock.now_ms()

    def read(tx: Tx) -> dict[str, dict[str, Count]]:
        found = {name: statistics.since(tx, kind, width(name), now - WINDOWS[name]) for name in windows}
        return found | {"total": statistics.total(tx, kind)}

    return await co.telemetry.read(read)
