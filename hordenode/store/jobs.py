"""Rows about jobs."""

from __future__ import annotations

from hordenode.domain.entities import Job, Kind
from hordenode.domain.statistics import Delivered
from hordenode.store.rows import columns, placeholders, reader
from hordenode.store.tx import Tx, statement

_job = reader(Job)

FIND = statement("jobs.find", f"SELECT {columns(Job)} FROM jobs WHERE id = :id")
INSERT = statement("jobs.insert", f"INSERT INTO jobs ({columns(Job)}) VALUES ({placeholders(Job)})", keeps=True)
FINISH = statement(
    "jobs.finish",
    "UPDATE jobs SET state = 'done', finished_ms = :now_ms, seed = :seed, result = :result, outcome = :outcome,"
    " censored = :censored, gen_metadata = :gen_metadata, logprobs = :logprobs, reward = :reward,"
    " done_seq = :sequence"
    " WHERE id = :id AND state = 'processing'",
    keeps=True,
)
FAULT = statement(
    "jobs.fault",
    "UPDATE jobs SET state = 'faulted', finished_ms = :now_ms WHERE id = :id AND state = 'processing'",
    keeps=True,
)
DONE = statement(
    "jobs.done",
    f"SELECT {', '.join('j.' + name for name in columns(Job).split(', '))}, w.name"
    " FROM jobs j JOIN workers w ON w.id = j.worker_id"
    " WHERE j.request_id = :request_id AND j.state = 'done' ORDER BY j.finished_ms, j.id",
)
RUNNING = statement(
    "jobs.running",
    f"SELECT {columns(Job)} FROM jobs WHERE request_id = :request_id AND state = 'processing'",
)
OVERDUE = statement(
    "jobs.overdue",
    f"SELECT {columns(Job)} FROM jobs WHERE state = 'processing' AND deadline_ms < :now_ms ORDER BY deadline_ms LIMIT :limit",
)
LIVE = statement(
    "jobs.live",
    "SELECT j.id, j.request_id, w.user_id, j.worker_id, w.kind FROM jobs j JOIN waiting_prompts w ON w.id = j.request_id"
    " WHERE j.state = 'processing'",
)
DELIVERED = statement(
    "jobs.delivered",
    "SELECT j.done_seq, w.kind, j.model, w.things, j.finished_ms FROM jobs j JOIN waiting_prompts w ON w.id = j.request_id"
    " WHERE j.done_seq > :after ORDER BY j.done_seq LIMIT :limit",
)
LAST_SEQUENCE = statement("jobs.last_sequence", "SELECT max(done_seq) FROM jobs WHERE done_seq IS NOT NULL")
IN_PROCESS = statement(
    "jobs.in_process", f"SELECT {columns(Job)} FROM jobs WHERE state = 'processing' AND in_process = 1"
)

DELETE_OF_WORKER = statement("jobs.delete_of_worker", "DELETE FROM jobs WHERE worker_id = :worker_id")


def find(tx: Tx, job_id: str) -> Job | None:
    def read() -> Job | None:
        row = tx.one(FIND, id=job_id)
        return None if row is None else _job(row)

    return tx.remembered(("job", job_id), read)


def insert(tx: Tx, job: Job) -> None:
    tx.store(INSERT, job)
    tx.now_is(("job", job.id), job)


def finish(tx: Tx, job: Job, sequence: int) -> bool:
    """Store the result; False when the job is not in processing any more. Exactly one caller gets True.

    sequence: greater than that of every delivery before.
    """
    tx.now_is(("job", job.id), None)
    return (
        tx.run(
            FINISH,
            id=job.id,
            now_ms=job.finished_ms,
            seed=job.seed,
            result=job.result,
            outcome=job.outcome,
            censored=job.censored,
            gen_metadata=job.gen_metadata,
            logprobs=job.logprobs,
            reward=job.reward,
            sequence=sequence,
        )
        == 1
    )


def fault(tx: Tx, job_id: str, now_ms: int) -> bool:
    """Mark as faulted; False when the job is not in processing any more."""
    tx.now_is(("job", job_id), None)
    return tx.run(FAULT, id=job_id, now_ms=now_ms) == 1


def done_of(tx: Tx, request_id: str) -> list[tuple[Job, str]]:
    """Delivered jobs of a request with their workers' names, in the order of delivery."""
    return [(_job(row[:-1]), row[-1]) for row in tx.all(DONE, request_id=request_id)]


def delivered_after(tx: Tx, sequence: int, limit: int) -> list[Delivered]:
    """The next deliveries after one of them, in their order."""
    return [
        Delivered(row[0], Kind(row[1]), row[2], row[3], row[4])
        for row in tx.all(DELIVERED, after=sequence, limit=limit)
    ]


def last_sequence(tx: Tx) -> int:
    """Of the latest delivery that is still stored, 0 without any."""
    return int(tx.value(LAST_SEQUENCE) or 0)


def running_of(tx: Tx, request_id: str) -> list[Job]:
    return [_job(row) for row in tx.all(RUNNING, request_id=request_id)]


def overdue(tx: Tx, now_ms: int, limit: int) -> list[Job]:
    """Jobs in processing whose time is over (contract 8.2)."""
    return [_job(row) for row in tx.all(OVERDUE, now_ms=now_ms, limit=limit)]


def live(tx: Tx) -> list[tuple[str, str, int, str, str]]:
    """(id, request id, user id, worker id, kind) of all jobs in processing."""
    return [(row[0], row[1], row[2], row[3], row[4]) for row in tx.all(LIVE)]


def in_process(tx: Tx) -> list[Job]:
    """Jobs that the node's own worker held."""
    return [_job(row) for row in tx.all(IN_PROCESS)]


def delete_of_worker(tx: Tx, worker_id: str) -> None:
    """All jobs of a worker that is about to be deleted. Looks through all jobs, as workers.is_referenced does."""
    tx.run(DELETE_OF_WORKER, worker_id=worker_id)
