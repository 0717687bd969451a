"""Logs: lines for people or JSON for machines. Keys and prompts are in neither: nothing logs them."""

from __future__ import annotations

import json
import logging
import sys
from datetime import UTC, datetime

from hordenode.config import LogSettings
from hordenode.ops import trace

QUIET = ("aiosqlite", "httpx", "httpcore", "uvicorn", "PIL", "asyncio")  # aiosqlite at DEBUG prints bound parameters


class JsonFormatter(logging.Formatter):
    """One JSON object a line."""

    def format(self, record: logging.LogRecord) -> str:
        members = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        if (request := trace.REQUEST.get()) != "":
            members["request"] = request
        members.update(getattr(record, "fields", {}))
        if record.exc_info:
            members["traceback"] = self.formatException(record.exc_info)
        return json.dumps(members, ensure_ascii=False)


def set_up_logs(settings: LogSettings) -> None:
    """Send all logs to stderr in the format that the settings name."""
    handler = logging.StreamHandler(sys.stderr)
    if settings.format == "json":
        handler.setFormatter(JsonFormatter())
    else:
        handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)-7s %(name)s: %(message)s", "%H:%M:%S"))
    logging.basicConfig(level=settings.level.upper(), handlers=[handler], force=True)
    for name in QUIET:
        logging.getLogger(name).setLevel(logging.WARNING)
