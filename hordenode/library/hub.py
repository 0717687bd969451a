"""A model hub that speaks Hugging Face's HTTP: what a revision holds, and its files, resumable and verified."""

from __future__ import annotations

import os
import re
import urllib.parse
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import msgspec

from hordenode.library.digest import matches
from hordenode.library.errors import Interrupted, LibraryError
from hordenode.library.paths import safe_names
from hordenode.library.progress import Progress
from hordenode.version import __version__

ENDPOINT = "https://huggingface.co"
# Tries in a row that bring nothing.
ATTEMPTS = 3
TIMEOUT_S = 30.0
PARTIAL = ".part"
DIGEST = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")


class _Lfs(msgspec.Struct):
    sha256: str | None = None
    size: int | None = None


class _Sibling(msgspec.Struct):
    rfilename: str
    size: int | None = None
    blobId: str | None = None  # noqa: N815  the hub's name
    lfs: _Lfs | None = None


class _Revision(msgspec.Struct):
    sha: str
    siblings: list[_Sibling]


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A revision. `files`: by name, digest (empty where the list does not say) and size (0 likewise)."""

    repo: str
    commit: str
    files: Mapping[str, tuple[str, int]]

    @property
    def source(self) -> str:
        """As models.toml pins it."""
        return f"hf:{self.repo}@{self.commit}"


class Hub:
    """Talks to one endpoint. The token goes to it alone, never to where it redirects, and into no message."""

    def __init__(self, endpoint: str, token: str | None = None) -> None:
        self.endpoint = endpoint.rstrip("/")
        headers = {"user-agent": f"hordenode/{__version__}"}
        if token:
            headers["authorization"] = f"Bearer {token}"
        self._client = httpx.Client(headers=headers, timeout=TIMEOUT_S, follow_redirects=True)

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def snapshot(self, repo: str, revision: str) -> Snapshot:
        """What a revision holds. Raises LibraryError, and Interrupted when the hub cannot be reached."""
        where = f"hf:{repo}@{revision}"
        path = f"/api/models/{repo}/revision/{urllib.parse.quote(revision, safe='')}"
        with self._reached(where):
            answer = self._client.get(self.endpoint + path, params={"blobs": "true"})
        self._check(answer, where)
        try:
            found = msgspec.json.decode(answer.content, type=_Revision)
        except msgspec.DecodeError as error:
            raise LibraryError(f"{where}: {self.endpoint} does not answer as a model hub does ({error}).") from error
        if not DIGEST.fullmatch(found.sha):
            raise LibraryError(f"{where}: {self.endpoint} names no commit for this revision.")
        safe_names((each.rfilename for each in found.siblings), where)
        return Snapshot(repo, found.sha, {each.rfilename: _digest(each) for each in found.siblings})

    def fetch(self, snapshot: Snapshot, name: str, target: Path, progress: Progress) -> None:
        """Bring one file to `target`, going on where an earlier try stopped. Raises LibraryError, Interrupted."""
        if target.exists():
            return  # it got its name only once it was verified
        target.parent.mkdir(parents=True, exist_ok=True)
        partial = target.with_name(target.name + PARTIAL)
        digest = self._download(snapshot, name, partial, progress)
        progress(f"verifying {name}")
        if not matches(partial, digest):
            partial.unlink()
            raise LibraryError(
                f"{snapshot.source}: {name} does not have the digest that the hub promises. It was thrown away; try again, "
                "and if that does not help the hub or the way to it is damaged."
            )
        partial.replace(target)

    def _download(self, snapshot: Snapshot, name: str, partial: Path, progress: Progress) -> str:
        """Fill `partial`; returns the digest that it should have."""
        trouble, left, have = "", ATTEMPTS, 0
        while left:
            try:
                return self._try(snapshot, name, partial, progress)
            except (httpx.TransportError, httpx.StreamError) as error:
                trouble = str(error) or type(error).__name__
            before, have = have, partial.stat().st_size if partial.exists() else 0
            left = ATTEMPTS if have > before else left - 1
        raise Interrupted(
            f"{snapshot.source}: {name} broke off ({trouble}). Run the same command again to go on from there."
        )

    def _try(self, snapshot: Snapshot, name: str, partial: Path, progress: Progress) -> str:
        have = partial.stat().st_size if partial.exists() else 0
        url = f"{self.endpoint}/{snapshot.repo}/resolve/{snapshot.commit}/{urllib.parse.quote(name)}"
        listed, size = snapshot.files[name]
        headers = {"range": f"bytes={have}-"} if have else {}
        # Compressed on the way, lengths and ranges would not be those of the file.
        with self._client.stream("GET", url, headers={**headers, "accept-encoding": "identity"}) as answer:
            digest = listed or _promised(answer)
            if not digest:
                raise LibraryError(f"{snapshot.source}: the hub gives no digest for {name}, so it cannot be verified.")
            if answer.status_code == httpx.codes.REQUESTED_RANGE_NOT_SATISFIABLE:
                return digest  # all of it was there
            self._check(answer, f"{snapshot.source}: {name}")
            if answer.status_code != httpx.codes.PARTIAL_CONTENT or not _continues(answer, have):
                have = 0
            total = size or have + int(answer.headers.get("content-length", 0))
            _append(answer, partial, have, total, lambda done: progress(f"fetching {name}", done, total))
        return digest

    def _check(self, answer: httpx.Response, where: str) -> None:
        if answer.status_code in (httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN):
            raise LibraryError(
                f"{where}: the hub wants an account that may read it. Accept the model's terms there, and give your token in "
                "HF_TOKEN or a file with --token-file."
            )
        if answer.status_code == httpx.codes.NOT_FOUND:
            raise LibraryError(f"{where}: {self.endpoint} has no such repository, revision or file.")
        if answer.is_error:
            raise Interrupted(
                f"{where}: {self.endpoint} answered {answer.status_code}. Run the same command again later."
            )

    @contextmanager
    def _reached(self, where: str) -> Iterator[None]:
        try:
            yield
        except httpx.TransportError as error:
            said = str(error) or type(error).__name__
            raise Interrupted(
                f"{where}: {self.endpoint} cannot be reached ({said}). Without internet, bring the model as an archive: "
                "`hordenode models export` on another machine, `models import` here."
            ) from error


def endpoint_from(env: Mapping[str, str] = os.environ) -> str:
    """HF_ENDPOINT, else the public hub."""
    return env.get("HF_ENDPOINT") or ENDPOINT


def token_from(file: Path | None, env: Mapping[str, str] = os.environ) -> str | None:
    """The hub's token: of the file, else of HF_TOKEN, else where the hub's own tools keep it. Raises LibraryError."""
    if file is None and env.get("HF_TOKEN"):
        return env["HF_TOKEN"].strip()
    home = Path(env.get("HF_HOME") or Path.home() / ".cache" / "huggingface")
    usual = Path(env.get("HF_TOKEN_PATH") or home / "token")
    try:
        return (file or usual).read_text(encoding="utf-8").strip() or None
    except (OSError, UnicodeDecodeError) as error:
        if file is None:
            return None
        raise LibraryError(f"{file}: the token cannot be read ({type(error).__name__}).") from error


def _digest(each: _Sibling) -> tuple[str, int]:
    digest = (each.lfs.sha256 if each.lfs else each.blobId) or ""
    return digest if DIGEST.fullmatch(digest) else "", (each.lfs.size if each.lfs else None) or each.size or 0


def _promised(answer: httpx.Response) -> str:
    """The digest in the headers, of the hub's own answer before those of where it redirects."""
    for each in (*answer.history, answer):
        for header in ("x-linked-etag", "etag"):
            value: str = each.headers.get(header, "").removeprefix("W/").strip('"')
            if DIGEST.fullmatch(value):
                return value
    return ""


def _continues(answer: httpx.Response, have: int) -> bool:
    said: str = answer.headers.get("content-range", "")
    return said.startswith(f"bytes {have}-")


def _append(answer: httpx.Response, partial: Path, have: int, total: int, report: Callable[[int], None]) -> None:
    """Write what comes behind the first `have` bytes."""
    with partial.open("ab" if have else "wb") as file:
        for block in answer.iter_raw():  # as it comes, so that nothing is lost when it breaks off
            if total and have + len(block) > total:
                raise LibraryError(f"{partial.name.removesuffix(PARTIAL)}: the hub sends more bytes than it announced.")
            file.write(block)
            have += len(block)
            report(have)
    if total and have < total:
        raise httpx.ReadError("the connection ended early")
