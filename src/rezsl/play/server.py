"""The server of the page, which refuses requests of other sites and those sent to another name than its own."""

import ipaddress
import json
import os
import socket
import threading
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

from rezsl.errors import ArgumentError, DataError, RezslError, needs
from rezsl.play._playground import Playground

with needs("play", "the page of rezsl play"):
    import uvicorn
    from starlette.applications import Starlette
    from starlette.concurrency import run_in_threadpool
    from starlette.exceptions import HTTPException
    from starlette.middleware import Middleware
    from starlette.requests import Request
    from starlette.responses import HTMLResponse, JSONResponse, Response
    from starlette.routing import Route
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

MOST_UPLOAD = 32 << 20
"""Bytes of a photo, 32 MiB."""

MOST_JSON = 8 << 20
"""Bytes of a question, 8 MiB: a thousand changed rows of a few hundred attributes."""

MOST_ANSWERS = 50
"""Classes in one answer."""

MOST_CONNECTIONS = 64

HEADERS = {
    "Content-Security-Policy": "frame-ancestors 'none'",  # the page's own policy stands in it
    "X-Frame-Options": "DENY",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}


class _OwnPageOnly:
    """Refuses requests that another site sends, and adds the headers that forbid other sites to frame or read the page.

    A page of another site can post to an address of this machine, and a name that its owner points to this machine
    later makes both of one origin (DNS rebinding). So a request must be sent to a number such as 127.0.0.1, to
    ``localhost``, or to the name that ``--host`` gave; and a browser must say that this very page sends it.
    """

    def __init__(self, app: ASGIApp, host: str) -> None:
        self.app, self.host = app, host.lower()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        request = Request(scope)

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [
                    *message.get("headers", []),
                    *((name.lower().encode(), value.encode()) for name, value in HEADERS.items()),
                ]
            await send(message)

        problem = self._problem(request)
        answer = self.app if problem is None else JSONResponse({"error": problem}, 403)
        await answer(scope, receive, with_headers)

    def _problem(self, request: Request) -> str | None:
        hosts = request.headers.getlist("host")
        if len(hosts) != 1 or not self._is_own(hosts[0]):
            return "host: expected the address that rezsl play printed, got another name; open that address"
        if request.method in ("GET", "HEAD"):
            return None
        origin, site = request.headers.get("origin"), request.headers.get("sec-fetch-site")
        if site not in (None, "same-origin") or origin not in (None, f"http://{hosts[0]}"):
            return "origin: expected a request of the page itself, got one of another site; open the page"
        return None

    def _is_own(self, host: str) -> bool:
        try:
            name = (urlsplit(f"//{host}").hostname or "").rstrip(".")
        except ValueError:
            return False
        try:
            ipaddress.ip_address(name)
        except ValueError:
            return name in ("localhost", self.host)
        return True


def application(playground: Playground, page: str, host: str) -> ASGIApp:
    """Return the application that serves a page and answers its questions; ``host`` is the name that it has."""
    lock = threading.Lock()

    def alone(call: Callable[..., dict[str, Any]], *arguments: Any) -> dict[str, Any]:
        with lock:
            return call(*arguments)

    async def show(request: Request) -> Response:
        return HTMLResponse(page)

    async def photos(request: Request) -> Response:
        content = await _body(request, MOST_UPLOAD, "application/octet-stream")
        return JSONResponse(await run_in_threadpool(alone, playground.add, content))

    async def answer(request: Request) -> Response:
        asked = await _question(request, photo=str, changes=dict, top=int)
        top = min(max(1, asked["top"]), MOST_ANSWERS)
        return JSONResponse(await run_in_threadpool(alone, playground.answer, asked["photo"], asked["changes"], top))

    async def maps(request: Request) -> Response:
        asked = await _question(request, photo=str, attributes=list, kind=str)
        return JSONResponse(
            await run_in_threadpool(alone, playground.maps, asked["photo"], asked["attributes"], asked["kind"])
        )

    return Starlette(
        routes=[
            Route("/", show),
            Route("/photos", photos, methods=["POST"]),
            Route("/answer", answer, methods=["POST"]),
            Route("/maps", maps, methods=["POST"]),
        ],
        middleware=[Middleware(_OwnPageOnly, host=host)],
        exception_handlers={RezslError: _refused, HTTPException: _refused},
    )


async def _refused(request: Request, error: Exception) -> Response:
    if isinstance(error, HTTPException):
        return JSONResponse({"error": error.detail}, error.status_code, headers=error.headers)
    return JSONResponse({"error": str(error)}, 422)


async def _body(request: Request, most: int, kind: str) -> bytes:
    """Return the body of a request, which is refused as soon as it is larger than ``most`` bytes.

    A form of another site cannot have these types, so its browser asks first, and is not answered.
    """
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != kind:
        raise HTTPException(415, f"content-type: expected {kind}, got another; use the page")
    too_large = HTTPException(
        413, f"expected at most {most >> 20} MiB, got more; scale the photo down", {"Connection": "close"}
    )
    declared = request.headers.get("content-length", "0")
    if not declared.isdecimal() or int(declared) > most:
        raise too_large
    content = bytearray()
    async for part in request.stream():
        content += part
        if len(content) > most:
            raise too_large
    return bytes(content)


async def _question(request: Request, **kinds: type) -> dict[str, Any]:
    """Return the JSON object of a request, whose entries have these names and types."""
    content = await _body(request, MOST_JSON, "application/json")
    try:
        asked = json.loads(content)
    except (ValueError, RecursionError):
        asked = None
    if not isinstance(asked, dict) or any(type(asked.get(name)) is not kind for name, kind in kinds.items()):
        raise DataError(f"question: expected an object with {', '.join(kinds)}, got other content; reload the page")
    return asked


def serve(
    playground: Playground, page: str, host: str = "127.0.0.1", port: int = 0, started: Callable[[str], None] = print
) -> None:
    """Serve a page until the process is interrupted, which is a KeyboardInterrupt.

    Args:
        playground: answers the questions of the page.
        page: HTML.
        host: address to listen on. Whoever can reach one that is not of this machine alone can use the page.
        port: 0 takes a free one.
        started: is called with the URL as soon as the page can be opened.

    Raises:
        ArgumentError: the address cannot be listened on.
    """
    with _listening(host, port) as listener:
        address, bound = listener.getsockname()[:2]
        shown = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(address, host)
        url = f"http://[{shown}]:{bound}/" if ":" in shown else f"http://{shown}:{bound}/"
        config = uvicorn.Config(
            application(playground, page, host), log_level="error", access_log=False, server_header=False,
            lifespan="off", ws="none", limit_concurrency=MOST_CONNECTIONS, timeout_graceful_shutdown=1,
        )  # fmt: skip
        started(url)  # connections wait in the socket's queue until the loop runs
        uvicorn.Server(config).run(sockets=[listener])


def _listening(host: str, port: int) -> socket.socket:
    if not 0 <= port <= 65535:
        raise ArgumentError(f"port: expected a number from 0 to 65535, got {port}; leave it out for a free one")
    try:
        family, *_, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        return socket.create_server(address[:2], family=family)
    except socket.gaierror as error:
        raise ArgumentError(
            f"host: expected an address of this machine, got {host!r} ({error.strerror}); give one"
        ) from error
    except OSError as error:
        raise ArgumentError(
            f"port: {host} port {port} cannot be listened on ({os.strerror(error.errno or 0)}); leave it out for a "
            f"free one"
        ) from error
