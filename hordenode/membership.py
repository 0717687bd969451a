"""The horde that this machine joined: how it gets in with a code, and what it remembers (`joined.json`, mode 0600)."""

from __future__ import annotations

import hashlib
import hmac
import json
from dataclasses import asdict, dataclass
from pathlib import Path

import httpx

from hordenode.client.http import HttpHorde
from hordenode.config import ConfigError
from hordenode.domain import codes
from hordenode.ops.secret_files import SECRET_FILE, load_secret, write_secret
from hordenode.protocol.errors import HordeError
from hordenode.protocol.joining import NewJoin

FILE = "joined.json"


class NotAHorde(Exception):
    """There is no hordenode at an address; the text says what to do."""


@dataclass(frozen=True, slots=True)
class Membership:
    """A horde, and this machine's account there. attempt: with what it joined, which does not tell the code."""

    horde: str
    name: str
    key: str
    attempt: str


def load(data_dir: Path) -> Membership | None:
    """What this machine remembers; None when it has not joined. ConfigError for a file that cannot be read."""
    path = data_dir / FILE
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        return Membership(*(str(found[name]) for name in Membership.__slots__))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ConfigError(f"{path} cannot be read: {error}. Remove it and join again with a new code.") from error


def attempt_with(data_dir: Path, code: str) -> str:
    """A secret of this machine and this code, the same each time: an answer that was lost can be asked for again."""
    secret = load_secret(data_dir / SECRET_FILE)
    return hmac.digest(secret, f"joining with {codes.plain(code)}".encode(), hashlib.sha256).hex()


async def join(
    data_dir: Path, url: str, code: str, name: str, transport: httpx.AsyncBaseTransport | None = None
) -> Membership:
    """Use up the code, and remember what it gave. With the code that let this machine in, what it remembers already.

    Raises HordeError for a code that is no good, Unreachable, NotAHorde, ConfigError.
    """
    data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    attempt = attempt_with(data_dir, code)
    known = load(data_dir)
    if known is not None and (known.attempt, known.horde) == (attempt, url):
        return known
    horde = HttpHorde(url, transport=transport)
    try:
        joined = await horde.join(NewJoin(code=code, name=name, attempt=attempt))
    except HordeError as error:
        if error.status in (404, 405) and error.rc is None:
            raise NotAHorde(
                f"{url} answers, but is no hordenode that machines can join with a code."
                " With an API key, `hordenode worker run` works for any AI Horde."
            ) from error
        raise
    finally:
        await horde.aclose()
    made = Membership(url, joined.name, joined.apikey, attempt)
    write_secret(data_dir / FILE, json.dumps(asdict(made), indent=2) + "\n")
    return made
