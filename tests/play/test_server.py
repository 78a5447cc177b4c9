import json
from http.client import HTTPConnection
from typing import Any

import pytest

from tests.play.conftest import photo_of

pytest.importorskip("uvicorn")
pytest.importorskip("starlette")

PHOTO, JSON = {"Content-Type": "application/octet-stream"}, {"Content-Type": "application/json"}


def ask(address: str, path: str, body: bytes | None = None, **headers: str) -> tuple[int, dict[str, str], bytes]:
    connection = HTTPConnection(address, timeout=30)
    try:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        connection.request("GET" if body is None else "POST", path, body, named)
        answer = connection.getresponse()
        return answer.status, dict(answer.getheaders()), answer.read()
    finally:
        connection.close()


def refusal(address: str, path: str, body: bytes | None = None, **headers: str) -> tuple[int, str]:
    status, _, content = ask(address, path, body, **headers)
    message: str = json.loads(content)["error"]
    assert "\n" not in message
    return status, message


def test_a_photo_is_sent_and_answered(address: str) -> None:
    status, headers, page = ask(address, "/")
    assert (status, headers["x-frame-options"], headers["cache-control"]) == (200, "DENY", "no-store")
    assert b"&lt;/script&gt;" in page
    own = {"Origin": f"http://{address}", "Sec-Fetch-Site": "same-origin"}
    status, _, content = ask(address, "/photos", photo_of(0), **PHOTO, **own)
    assert status == 200
    question: dict[str, Any] = {"photo": json.loads(content)["photo"], "changes": {"removed": ["3"]}, "top": 2}
    status, _, content = ask(address, "/answer", json.dumps(question).encode(), **JSON, **own)
    assert status == 200
    assert json.loads(content)["count"] == 9


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://example.org"},
        {"Origin": "http://127.0.0.1:1"},
        {"Origin": "http://localhost:1"},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Sec-Fetch-Site": "none"},
    ],
)
def test_requests_of_other_sites_are_refused(address: str, headers: dict[str, str]) -> None:
    status, message = refusal(address, "/photos", photo_of(0), **PHOTO, **headers)
    assert (status, message[:40]) == (403, "origin: expected a request of the page i")


@pytest.mark.parametrize("host", ["example.org", "127.0.0.1.example.org", "localhost.example.org", "", "[", "a b"])
def test_other_names_of_the_machine_are_refused(address: str, host: str) -> None:
    """An attacker's name may lead to this machine by then, and Origin and Host are then the same."""
    for path, body in (("/", None), ("/photos", photo_of(0))):
        status, _, content = ask(address, path, body, Host=host, Origin=f"http://{host}", **PHOTO)
        assert status in (400, 403)
        assert b"photo" not in content


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST", "127.0.0.1", "[::1]"])
def test_own_names_are_answered_at_any_port(address: str, host: str) -> None:
    """Where the port is that of a tunnel, as of ssh -L."""
    assert ask(address, "/", Host=f"{host}:9")[0] == 200
    assert ask(address, "/photos", photo_of(0), Host=f"{host}:9", Origin=f"http://{host}:9", **PHOTO)[0] == 200


def test_forms_of_other_sites_have_no_accepted_type(address: str) -> None:
    for kind in ("text/plain", "multipart/form-data; boundary=x", "application/x-www-form-urlencoded", ""):
        assert refusal(address, "/photos", photo_of(0), **{"Content-Type": kind})[0] == 415
        assert refusal(address, "/answer", b"{}", **{"Content-Type": kind})[0] == 415


def test_too_much_is_refused_before_it_is_read(address: str) -> None:
    connection = HTTPConnection(address, timeout=30)
    connection.putrequest("POST", "/photos")
    for name, value in {**PHOTO, "Content-Length": str(1 << 40)}.items():
        connection.putheader(name, value)
    connection.endheaders()
    answer = connection.getresponse()
    assert (answer.status, json.loads(answer.read())["error"][:29]) == (413, "expected at most 32 MiB, got ")
    connection.close()


def test_too_much_is_refused_where_no_length_is_declared(address: str) -> None:
    connection = HTTPConnection(address, timeout=30)
    connection.putrequest("POST", "/answer")
    for name, value in {**JSON, "Transfer-Encoding": "chunked"}.items():
        connection.putheader(name, value)
    connection.endheaders()
    chunk = b"100000\r\n" + bytes(1 << 20) + b"\r\n"
    with pytest.raises((ConnectionError, AssertionError)):  # noqa: PT012 - the server closes after 8 of them
        for _ in range(64):
            connection.send(chunk)
        connection.send(b"0\r\n\r\n")
        assert connection.getresponse().status != 413
    connection.close()


@pytest.mark.parametrize("content", [b"", b"no image", b"\x89PNG\r\n\x1a\n", b"%!PS-Adobe-3.0 EPSF-3.0\n"])
def test_a_file_that_is_no_image_is_refused_without_a_path(address: str, content: bytes) -> None:
    status, message = refusal(address, "/photos", content, **PHOTO)
    assert status == 422
    assert message.startswith("photo: expected an image, got")
    assert "/tmp" not in message


def test_an_image_of_too_many_pixels_is_refused_before_it_is_decoded(address: str) -> None:
    header = (
        b"BM" + (1 << 20).to_bytes(4, "little") + bytes(4) + (54).to_bytes(4, "little") + (40).to_bytes(4, "little")
    )
    header += (
        (12_000).to_bytes(4, "little")
        + (9_000).to_bytes(4, "little")
        + (1).to_bytes(2, "little")
        + (24).to_bytes(2, "little")
        + bytes(24)
    )
    status, message = refusal(address, "/photos", header, **PHOTO)
    assert (status, message) == (422, "photo: 12000 × 9000 pixels, more than 100,000,000; scale it down")


@pytest.mark.parametrize(
    "question",
    [b"", b"[]", b"{", b"{}", b"[" * 100_000, b'{"photo":1,"changes":{},"top":1}', b'{"photo":"","changes":[],"top":1}', b'{"photo":"","changes":{},"top":true}'],
)  # fmt: skip
def test_a_question_of_another_form_is_refused(address: str, question: bytes) -> None:
    status, message = refusal(address, "/answer", question, **JSON)
    assert (status, message[:35]) == (422, "question: expected an object with p")


def test_unknown_photos_attributes_and_maps_are_refused(address: str) -> None:
    key = json.loads(ask(address, "/photos", photo_of(0), **PHOTO)[2])["photo"]

    def refused(path: str, **question: Any) -> str:
        status, message = refusal(address, path, json.dumps(question).encode(), **JSON)
        assert status == 422
        return message

    assert "choose the photo again" in refused("/answer", photo="../x", changes={}, top=1)
    assert "got 'no such'" in refused("/maps", photo=key, attributes=["no such"], kind="gradient")
    assert "expected 1 to 12" in refused("/maps", photo=key, attributes=[], kind="gradient")
    assert "expected 1 to 12" in refused("/maps", photo=key, attributes=["narrow"] * 13, kind="gradient")
    assert "attributes" in refused("/maps", photo=key, attributes=[[]], kind="gradient")
    assert "kind: expected one of" in refused("/maps", photo=key, attributes=["narrow"], kind="other")


def test_other_paths_and_methods_have_one_line(address: str) -> None:
    assert refusal(address, "/etc/passwd")[0] == 404
    assert refusal(address, "/photos")[0] == 405
