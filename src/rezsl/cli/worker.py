"""``python -m rezsl.cli.worker``: command lines one after the other, for whoever has many.

PyTorch and all that comes with it take seconds to import; a worker imports once. Each line on the standard input is a
JSON object with ``arguments`` and ``log``, the file that all output goes to; each answer is a line with the exit code.
When the input ends, so does the worker: at once, with what is running interrupted as by Ctrl-C. So no run outlives
whoever asked for it, however that one ended.
"""

import gc
import json
import os
import signal
import sys
import traceback
from queue import SimpleQueue
from threading import Event, Thread
from typing import TextIO

from rezsl.cli.main import INTERRUPTED, main


def serve(requests: TextIO, answers: TextIO) -> None:
    """Answer requests until there are no more."""
    waiting: SimpleQueue[str | None] = SimpleQueue()
    running = Event()

    def listen() -> None:
        for line in requests:
            waiting.put(line)
        waiting.put(None)
        if running.is_set():
            os.kill(os.getpid(), signal.SIGINT)

    Thread(target=listen, daemon=True).start()
    while (line := waiting.get()) is not None:
        request = json.loads(line)
        running.set()
        code = run(request["arguments"], request["log"])
        running.clear()
        print(code, file=answers, flush=True)


def run(arguments: list[str], log: str) -> int:
    """Run a command line, with the output of this process and its children in a file; its exit code."""
    with open(log, "wb") as file:
        for descriptor in (1, 2):
            os.dup2(file.fileno(), descriptor)
    try:
        return main(arguments)
    except KeyboardInterrupt:
        return INTERRUPTED
    except SystemExit as ended:
        return ended.code if isinstance(ended.code, int) else 1
    except Exception:  # noqa: BLE001 - whatever it is, it ends one run, not those that wait
        traceback.print_exc()
        return 1
    finally:
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
        # Models and trainers refer to each other in circles: their memory is for the next run.
        gc.collect()


if __name__ == "__main__":
    # Its own copies: a run writes to its log, and has nothing to read.
    with os.fdopen(os.dup(0)) as requests, os.fdopen(os.dup(1), "w") as answers:
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        # Where a shell started rezsl compare in the background, it made SIGINT mean nothing.
        signal.signal(signal.SIGINT, signal.default_int_handler)
        serve(requests, answers)
