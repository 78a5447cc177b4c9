"""Chromium without a window, driven over the pipe of its DevTools protocol: nothing to install beside the browser."""

import base64
import fcntl
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from select import select
from types import TracebackType
from typing import Any, Self

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
PATIENCE = 60.0
"""Seconds until an answer is given up: a busy machine may take many for the browser's start alone."""

# The protocol speaks through file descriptors 3 and 4, which only the child itself can take.
LAUNCHER = (
    "import os, sys; read, write, *command = sys.argv[1:]; os.dup2(int(read), 3); os.dup2(int(write), 4); "
    "os.execv(command[0], command)"
)
QUIET = (
    "--headless", "--remote-debugging-pipe", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--hide-scrollbars",
    "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--force-color-profile=srgb",
)  # fmt: skip
KEYS = {
    "z": 90,
    " ": 32,
    "ArrowLeft": 37,
    "ArrowUp": 38,
    "ArrowRight": 39,
    "ArrowDown": 40,
    "Tab": 9,
    "Enter": 13,
    "Home": 36,
    "End": 35,
}


def find_chromium() -> str | None:
    """Path of the browser; None where there is none."""
    return next((path for path in map(shutil.which, NAMES) if path), None)


class Browser:
    """One page in one browser. Whatever the page complains about is kept in ``complaints``."""

    def __init__(self, program: str, profile: Path) -> None:
        to_child, from_child = os.pipe(), os.pipe()
        theirs = [fcntl.fcntl(end, fcntl.F_DUPFD, 10) for end in (to_child[0], from_child[1])]
        command = [sys.executable, "-c", LAUNCHER, *map(str, theirs), program, *QUIET, f"--user-data-dir={profile}"]
        self._process = subprocess.Popen(
            command, pass_fds=theirs, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        for end in (to_child[0], from_child[1], *theirs):
            os.close(end)
        self._write, self._read = to_child[1], from_child[0]
        self._left, self._number, self._session = b"", 0, ""
        self.complaints: list[str] = []
        self._own: tuple[str, ...] = ("file:", "data:", "blob:")
        self._loaded = False
        target = self.send("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.send("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.send(f"{domain}.enable")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        os.close(self._write)  # the browser ends with its pipe
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        os.close(self._read)

    def send(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Call a method of the protocol and wait for its answer."""
        number = self._tell(method, **parameters)
        while True:
            answer = self._receive()
            if answer.get("id") == number:
                assert "error" not in answer, f"{method}: {answer['error']}"
                result: dict[str, Any] = answer["result"]
                return result

    def _tell(self, method: str, **parameters: Any) -> int:
        """Call a method without waiting, and return the number of its answer."""
        self._number += 1
        message = {"id": self._number, "method": method, "params": parameters}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._write, json.dumps(message).encode() + b"\0")
        return self._number

    def _receive(self) -> dict[str, Any]:
        until = time.monotonic() + PATIENCE
        while b"\0" not in self._left:
            ready, _, _ = select([self._read], [], [], max(0.0, until - time.monotonic()))
            part = os.read(self._read, 1 << 20) if ready else b""
            if not part:
                raise RuntimeError("the browser does not answer" if not ready else "the browser has ended")
            self._left += part
        text, _, self._left = self._left.partition(b"\0")
        message: dict[str, Any] = json.loads(text)
        self._listen(message.get("method", ""), message.get("params", {}))
        return message

    def _listen(self, event: str, about: dict[str, Any]) -> None:
        if event == "Page.loadEventFired":
            self._loaded = True
        elif event == "Page.javascriptDialogOpening":  # a page that asks whether it may be left
            self._tell("Page.handleJavaScriptDialog", accept=True)
        elif event == "Runtime.exceptionThrown":
            self.complaints.append(json.dumps(about["exceptionDetails"]))
        elif event == "Runtime.consoleAPICalled" and about["type"] in ("error", "warning", "assert"):
            self.complaints.append(json.dumps(about["args"]))
        elif event == "Log.entryAdded":
            self.complaints.append(about["entry"]["text"])
        elif event == "Network.requestWillBeSent" and not about["request"]["url"].startswith(self._own):
            self.complaints.append(f"asked the network for {about['request']['url']}")

    def open(self, page: Path | str) -> None:
        """Go to a file, or to the URL of a server, which the page may ask."""
        self._loaded = False
        url = page if isinstance(page, str) else page.absolute().as_uri()
        self._own = ("file:", "data:", "blob:", *([page] if isinstance(page, str) else []))
        self.send("Page.navigate", url=url)
        while not self._loaded:
            self._receive()

    def run(self, script: str) -> Any:
        """Value of a JavaScript expression in the page; a promise is awaited."""
        found = self.send("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in found, f"{script}: {found['exceptionDetails']}"
        return found["result"].get("value")

    def wait(self, script: str, wanted: Callable[[Any], bool] = bool) -> Any:
        """Value of an expression as soon as it is as wanted."""
        until = time.monotonic() + PATIENCE
        while not wanted(value := self.run(script)):
            assert time.monotonic() < until, f"{script}: still {value!r}"
            time.sleep(0.02)
        return value

    def painted(self) -> None:
        """Wait until what was asked for is on the screen."""
        self.run("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => done(true))))")

    def view(self, width: int, height: int = 900, theme: str = "light") -> None:
        """Size of the window in CSS pixels, and what the reader's system prefers."""
        self.send(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=width < 600
        )
        self.send("Emulation.setEmulatedMedia", media="", features=[{"name": "prefers-color-scheme", "value": theme}])
        self.painted()

    def hover(self, x: float, y: float) -> None:
        self.send("Input.dispatchMouseEvent", type="mouseMoved", x=x, y=y)
        self.painted()

    def click(self, selector: str) -> None:
        box = self.run(
            f"(() => {{ const one = document.querySelector({json.dumps(selector)}); one.scrollIntoView({{block: 'center'}});"
            " const box = one.getBoundingClientRect(); return [box.x + box.width / 2, box.y + box.height / 2]; })()"
        )
        for kind in ("mousePressed", "mouseReleased"):
            self.send("Input.dispatchMouseEvent", type=kind, x=box[0], y=box[1], button="left", clickCount=1)
        self.painted()

    def press(self, key: str, shift: bool = False, control: bool = False) -> None:
        for kind in ("rawKeyDown", "keyUp"):
            self.send(
                "Input.dispatchKeyEvent",
                type=kind,
                key=key,
                code=key,
                windowsVirtualKeyCode=KEYS[key],
                modifiers=8 * shift + 2 * control,
            )
        self.painted()

    def choose(self, selector: str, value: str) -> None:
        """As a reader does who picks an option of a list."""
        self.run(
            f"(() => {{ const list = document.querySelector({json.dumps(selector)}); list.value = {json.dumps(value)};"
            " list.dispatchEvent(new Event('change', {bubbles: true})); })()"
        )
        self.painted()

    def choose_file(self, selector: str, path: Path) -> None:
        """As a reader does who picks a file in the dialogue of the system."""
        document = self.send("DOM.getDocument")["root"]["nodeId"]
        node = self.send("DOM.querySelector", nodeId=document, selector=selector)["nodeId"]
        self.send("DOM.setFileInputFiles", files=[str(path.absolute())], nodeId=node)

    def hand_over(self, event: str, path: Path) -> None:
        """Drop (``drop``) or paste (``paste``) a file anywhere on the page."""
        content = base64.b64encode(path.read_bytes()).decode()
        self.run(
            f"(() => {{ const bytes = Uint8Array.from(atob('{content}'), (sign) => sign.charCodeAt(0)), held = new DataTransfer();"
            f" held.items.add(new File([bytes], {json.dumps(path.name)}));"
            f" document.body.dispatchEvent('{event}' === 'drop' ? new DragEvent('drop', {{dataTransfer: held, bubbles: true, cancelable: true}})"
            " : new ClipboardEvent('paste', {clipboardData: held, bubbles: true, cancelable: true})); })()"
        )

    def type(self, text: str) -> None:
        self.send("Input.insertText", text=text)
        self.painted()

    def named(self, role: str) -> list[str]:
        """Names of the elements of a role, as a screen reader reads them; elements that it leaves out are none."""
        nodes = self.send("Accessibility.getFullAXTree")["nodes"]
        shown = [node for node in nodes if not node["ignored"] and node.get("role", {}).get("value") == role]
        return [node.get("name", {}).get("value", "") for node in shown]

    def screenshot(self, path: Path, whole: bool = True) -> None:
        picture = self.send("Page.captureScreenshot", format="png", captureBeyondViewport=whole)["data"]
        path.write_bytes(base64.b64decode(picture))

    def print(self, path: Path) -> None:
        paper = self.send("Page.printToPDF", printBackground=True, paperWidth=8.27, paperHeight=11.69)["data"]
        path.write_bytes(base64.b64decode(paper))
