"""``rezsl play``: a page on which a person shows photos to a model, and changes its table of classes."""

import ipaddress
import sys
import webbrowser
from contextlib import suppress

from jsonargparse import ArgumentParser, Namespace

from rezsl.cli._options import show
from rezsl.cli._parser import new_parser
from rezsl.cli._paths import local_run
from rezsl.cli.predict import add_model_options, load_for
from rezsl.errors import printable, renamed
from rezsl.files import folder_name
from rezsl.play import Playground, describe, render_page


def parser() -> ArgumentParser:
    """Return the parser."""
    options = new_parser("play")
    add_model_options(options)
    options.add_argument("--host", type=str, default="127.0.0.1")
    options.add_argument("--port", type=int, default=0)
    options.add_argument("--open", action="store_true")
    return options


def run(options: ArgumentParser, settings: Namespace) -> None:
    """Serve the page until Ctrl-C."""
    from rezsl.play.server import serve  # noqa: PLC0415 - the help does without the server's packages

    title = folder_name(settings.run)
    settings.run = local_run(settings.run, settings.revision)
    model, candidates = load_for(settings, images=True)
    with renamed(model=str(settings.run)):
        playground = Playground(model, candidates)
    page = render_page(describe(model, playground.table, title, playground.map_kinds), "server")

    def started(url: str) -> None:
        if not _is_loopback(settings.host):
            print(f"note: everyone who reaches {printable(settings.host)} can use this page", file=sys.stderr)
        show(f"playground of {title}: {url} (Ctrl-C ends it)")
        sys.stdout.flush()
        if settings.open:
            webbrowser.open(url)

    with suppress(KeyboardInterrupt):
        serve(playground, page, settings.host, settings.port, started)
    show("\nthe page has ended")


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
