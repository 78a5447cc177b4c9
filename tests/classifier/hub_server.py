"""A stand-in for the hub: the part of its HTTP interface that publishing and reading a model uses, in memory."""

import base64
import hashlib
import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any


class Hub:
    """The repositories by name, the files of each branch, and the requests that came."""

    def __init__(self) -> None:
        self.repositories: dict[str, dict[str, dict[str, bytes]]] = {}
        self.requests: list[str] = []
        self.url = ""
        self.refuses = False


def _handler(hub: Hub) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *_: Any) -> None: ...

        def answer(self, status: int, content: bytes = b"{}", **headers: str) -> None:
            self.send_response(status)
            for name, value in ({"Content-Length": str(len(content))} | headers).items():
                self.send_header(name.replace("_", "-"), value)
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(content)

        def do_POST(self) -> None:
            hub.requests.append(f"POST {self.path}")
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0)) or self.chunks()
            if hub.refuses:
                self.answer(403, b'{"error": "no"}')
            elif self.path == "/api/repos/create":
                made = json.loads(body)
                name = f"{made['organization']}/{made['name']}" if made.get("organization") else made["name"]
                hub.repositories.setdefault(name, {"main": {}})
                self.answer(200, json.dumps({"url": f"{hub.url}/{name}"}).encode())
            elif self.path == "/api/validate-yaml":
                self.answer(200, b'{"errors": [], "warnings": []}')
            elif found := re.fullmatch(r"/api/models/([^/]+/[^/]+)/branch/(.+)", self.path):
                hub.repositories[found[1]].setdefault(found[2], {})
                self.answer(200)
            elif re.search("/preupload/", self.path):
                files = [
                    {"path": file["path"], "uploadMode": "regular", "shouldIgnore": False}
                    for file in json.loads(body)["files"]
                ]
                self.answer(200, json.dumps({"files": files}).encode())
            elif found := re.fullmatch(r"/api/models/([^/]+/[^/]+)/commit/([^?]+).*", self.path):
                for line in map(json.loads, body.splitlines()):
                    if line["key"] == "file":
                        content = base64.b64decode(line["value"]["content"])
                        hub.repositories[found[1]][found[2]][line["value"]["path"]] = content
                commit = {"commitUrl": f"{hub.url}/{found[1]}/commit/{'a' * 40}", "commitOid": "a" * 40}
                self.answer(200, json.dumps(commit | {"success": True}).encode())
            else:
                self.answer(404)

        def chunks(self) -> bytes:
            content = b""
            while self.headers.get("Transfer-Encoding") and (size := int(self.rfile.readline(), 16)):
                content += self.rfile.read(size)
                self.rfile.readline()
            return content

        def do_GET(self) -> None:
            hub.requests.append(f"{self.command} {self.path}")
            found = re.fullmatch(r"/([^/]+/[^/]+)/resolve/([^/]+)/(.+)", self.path)
            repository = hub.repositories.get(found[1]) if found else None
            if found is None or repository is None:
                self.answer(404, X_Error_Code="RepoNotFound")
            elif found[2] not in repository:
                self.answer(404, X_Error_Code="RevisionNotFound")
            elif found[3] not in repository[found[2]]:
                self.answer(404, X_Error_Code="EntryNotFound", X_Repo_Commit="b" * 40)
            else:
                content = repository[found[2]][found[3]]
                commit = hashlib.sha1(found[2].encode()).hexdigest()
                self.answer(200, content, ETag=f'"{hashlib.sha1(content).hexdigest()}"', X_Repo_Commit=commit)

        do_HEAD = do_GET  # noqa: N815 - the name that http.server calls

    return Handler


@contextmanager
def hub_server() -> Iterator[Hub]:
    """Serve a hub on the loopback address while the block runs."""
    hub = Hub()
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(hub))
    hub.url = f"http://127.0.0.1:{server.server_port}"
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield hub
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
