"""Every metric of a node, declared and explained once: `hordenode metrics list` prints this table."""

from __future__ import annotations

from typing import Literal

from hordenode.ops.metrics import LONG_SECONDS, SECONDS, SIZES, Family

FAMILIES: dict[str, Family] = {}


def _family(
    kind: Literal["counter", "gauge", "histogram"],
    name: str,
    text: str,
    *labels: str,
    bounds: tuple[float, ...] = (),
) -> Family:
    made = FAMILIES[name] = Family(name, kind, text, labels, bounds)
    return made


HTTP_REQUESTS = _family(
    "counter", "hordenode_http_requests_total", "Answered HTTP requests.", "method", "route", "status"
)
HTTP_SECONDS = _family(
    "histogram",
    "hordenode_http_request_seconds",
    "Time to answer an HTTP request, without long polls and streams.",
    "method",
    "route",
    bounds=SECONDS,
)
HTTP_BUSY = _family("gauge", "hordenode_http_requests_in_flight", "HTTP requests being answered, without long polls.")
HTTP_LIMITED = _family(
    "counter", "hordenode_http_refused_total", "HTTP requests refused before they were looked at.", "reason"
)
CONNECTIONS = _family("gauge", "hordenode_http_connections", "Open connections.")
STREAMS = _family("gauge", "hordenode_event_streams", "Followers of the event stream.")
LONG_POLLS = _family("gauge", "hordenode_waiting_workers", "Workers that wait for a job (long polls).")

QUEUED_JOBS = _family("gauge", "hordenode_queue_jobs", "Jobs that wait for a worker.", "kind")
QUEUED_MODEL_JOBS = _family(
    "gauge",
    "hordenode_queue_model_jobs",
    "Jobs waiting or in flight of requests that name this model ('any': no model named).",
    "kind",
    "model",
)
RUNNING_JOBS = _family("gauge", "hordenode_jobs_running", "Jobs in the hands of workers.")
REQUESTS = _family("counter", "hordenode_requests_total", "Accepted requests.", "kind")
JOBS = _family("counter", "hordenode_jobs_total", "Jobs by what became of them.", "outcome")
WAIT_SECONDS = _family(
    "histogram",
    "hordenode_job_wait_seconds",
    "Time from a request to a job's start.",
    "kind",
    bounds=LONG_SECONDS,
)
RUN_SECONDS = _family(
    "histogram",
    "hordenode_job_run_seconds",
    "Time from a job's start to its result.",
    "kind",
    bounds=LONG_SECONDS,
)
WORKERS = _family("gauge", "hordenode_workers", "Workers that popped in the last five minutes.", "kind")
THREADS = _family("gauge", "hordenode_worker_threads", "Jobs that these workers take at once.", "kind")
KUDOS = _family("counter", "hordenode_kudos_moved_total", "Kudos that users earned and paid.", "direction")

WRITE_BATCH = _family("histogram", "hordenode_store_batch_writes", "Writes committed together.", bounds=SIZES)
WRITE_SECONDS = _family(
    "histogram", "hordenode_store_batch_seconds", "Time of a batch of writes, with its commit.", bounds=SECONDS
)
WRITE_ERRORS = _family("counter", "hordenode_store_errors_total", "Writes that the disk or database refused.")
WRITE_QUEUE = _family("gauge", "hordenode_store_waiting_writes", "Writes that wait for their batch.")
DATABASE_BYTES = _family("gauge", "hordenode_database_bytes", "Size of the database file with its journal.")

LOOP_LAG = _family(
    "histogram", "hordenode_event_loop_lag_seconds", "How late the event loop does what is due.", bounds=SECONDS
)
ENGINE_STEPS = _family("counter", "hordenode_engine_steps_total", "Steps (image) and tokens (text) made here.", "kind")
TASK_FAILURES = _family("gauge", "hordenode_task_failures", "Failures in a row of a background task.", "task")
TASK_SECONDS = _family("gauge", "hordenode_task_last_seconds", "Time that a background task took last.", "task")
RESIDENT = _family("gauge", "process_resident_memory_bytes", "Memory of the process.")
CPU_SECONDS = _family("counter", "process_cpu_seconds_total", "Processor time of the process.")
OPEN_FILES = _family("gauge", "process_open_fds", "Open files and sockets of the process.")
START_TIME = _family("gauge", "process_start_time_seconds", "When the node started, in seconds since 1970.")
INFO = _family("gauge", "hordenode_info", "1, with the version.", "version")
