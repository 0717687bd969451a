"""A model hub on real sockets: the list of a revision, files with redirects, ranges and digests in headers."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

COMMIT = "0123456789abcdef0123456789abcdef01234567"
LARGE = 1024


@dataclass
class HubServer:
    """`files` of one repository at one revision. Large ones are redirected to `storage`, a server of its own.

    `cut_after`: bytes after which each answer of a file breaks off, 0 = none; `gives`: bytes of files after which all
    answers do. `damage`: names whose bytes arrive changed.
    `asked`: (path, range, authorization) of every request for a file.
    """

    files: dict[str, bytes]
    repo: str = "owner/model"
    token: str = ""
    cut_after: int = 0
    gives: int = 2**40
    damage: set[str] = field(default_factory=set)
    listed_digests: bool = True
    listed_names: list[str] = field(default_factory=list)
    asked: list[tuple[str, str, str]] = field(default_factory=list)
    url: str = ""
    storage: str = ""

    def listing(self) -> dict[str, Any]:
        siblings = [self._sibling(name, content) for name, content in self.files.items()]
        return {"sha": COMMIT, "siblings": [*siblings, *({"rfilename": name} for name in self.listed_names)]}

    def _sibling(self, name: str, content: bytes) -> dict[str, Any]:
        known: dict[str, Any] = {"rfilename": name, "size": len(content)}
        if self.listed_digests:
            known["blobId"] = digest_of(content, large=False)
            if len(content) > LARGE:
                known["lfs"] = {"sha256": digest_of(content, large=True), "size": len(content)}
        return known


def digest_of(content: bytes, *, large: bool) -> str:
    """As the hub knows a file by: SHA-256 of large ones, git's blob id of small ones."""
    if large:
        return hashlib.sha256(content).hexdigest()
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()


@contextmanager
def hub_server(files: dict[str, bytes], **settings: Any) -> Iterator[HubServer]:
    """A running hub; both servers are gone when the block ends."""
    hub = HubServer(files, **settings)
    servers = [ThreadingHTTPServer(("127.0.0.1", 0), _handler(hub, kind)) for kind in (_Hub, _Storage)]
    hub.url, hub.storage = (f"http://127.0.0.1:{server.server_port}" for server in servers)
    threads = [threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}) for server in servers]
    for thread in threads:
        thread.start()
    try:
        yield hub
    finally:
        for server, thread in zip(servers, threads, strict=True):
            server.shutdown()
            thread.join()
            server.server_close()


def folder_files(folder: Path) -> dict[str, bytes]:
    """The content of a folder, for a hub to serve."""
    return {
        file.relative_to(folder).as_posix(): file.read_bytes() for file in sorted(folder.rglob("*")) if file.is_file()
    }


def _handler(hub: HubServer, kind: type[_Base]) -> type[_Base]:
    return type(kind.__name__, (kind,), {"hub": hub})


class _Base(BaseHTTPRequestHandler):
    hub: HubServer
    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        """Say nothing."""

    def answer(self, status: int, body: bytes = b"", /, **headers: str) -> None:
        self.send_response(status)
        for name, value in {"content-length": str(len(body)), **headers}.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(body)

    def note(self, path: str) -> None:
        self.hub.asked.append((path, self.headers.get("range", ""), self.headers.get("authorization", "")))

    def send_file(self, name: str, **headers: str) -> None:
        content = self.hub.files[name]
        if name in self.hub.damage:
            content = content[:-1] + bytes([content[-1] ^ 1])
        start = int((self.headers.get("range") or "bytes=0-").removeprefix("bytes=").rstrip("-"))
        if start >= len(content) > 0:
            self.answer(416, **headers)
            return
        part = content[start:]
        give = min(len(part), self.hub.cut_after or len(part), self.hub.gives)
        self.hub.gives -= give
        if give < len(part):
            self._cut(part, give, start, len(content))
            return
        ranged = {"content_range": f"bytes {start}-{len(content) - 1}/{len(content)}"} if start else {}
        self.answer(206 if start else 200, part, **(headers | ranged))

    def _cut(self, part: bytes, give: int, start: int, total: int) -> None:
        """Promise everything, send a piece, hang up."""
        self.send_response(206 if start else 200)
        self.send_header("content-length", str(len(part)))
        if start:
            self.send_header("content-range", f"bytes {start}-{total - 1}/{total}")
        self.end_headers()
        self.wfile.write(part[:give])
        self.close_connection = True


class _Hub(_Base):
    def do_GET(self) -> None:
        path = unquote(urlsplit(self.path).path)
        if self.hub.token and self.headers.get("authorization") != f"Bearer {self.hub.token}":
            self.answer(401)
        elif path in (f"/api/models/{self.hub.repo}/revision/{each}" for each in ("main", "release/1", COMMIT)):
            self.answer(200, json.dumps(self.hub.listing()).encode(), content_type="application/json")
        elif path.startswith(prefix := f"/{self.hub.repo}/resolve/{COMMIT}/") and path[len(prefix) :] in self.hub.files:
            self._resolve(path[len(prefix) :])
        else:
            self.answer(404)

    def _resolve(self, name: str) -> None:
        self.note(name)
        content = self.hub.files[name]
        large = len(content) > LARGE
        digest = digest_of(content, large=large)
        if large:
            self.answer(302, location=f"{self.hub.storage}/{name}", x_linked_etag=f'"{digest}"')
        else:
            self.send_file(name, etag=f'"{digest}"')


class _Storage(_Base):
    def do_GET(self) -> None:
        name = unquote(urlsplit(self.path).path).lstrip("/")
        self.note(f"storage/{name}")
        self.send_file(name, etag='"of-storage-alone"')
