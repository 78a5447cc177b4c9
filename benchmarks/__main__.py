"""``python -m benchmarks``: the speed table as Markdown, and the same figures as one line of JSON.

``python -m benchmarks NAME…`` measures some files of this package only. ``python -m benchmarks compare REVISION NAME…``
measures another revision beside this one; ``scale`` measures how costs grow, and ``gpu`` what needs a GPU.
"""

import sys
from importlib import import_module

from benchmarks import compare, gpu, scale
from benchmarks.rows import NAMES, heading, measure, to_json, to_markdown


def main(arguments: list[str]) -> None:
    """Measure what the arguments name, one after the other."""
    if arguments[:1] == ["compare"]:
        compare.main(arguments[1], arguments[2:] or list(NAMES))
    elif arguments in (["scale"], ["gpu"]):
        (scale if arguments == ["scale"] else gpu).main()
    elif unknown := [name for name in arguments if name not in NAMES]:
        sys.exit(f"benchmarks: expected {', '.join(NAMES)}, compare, scale or gpu, got {unknown[0]!r}")
    else:
        rows = [row for name in arguments or NAMES for row in measure(import_module(f"benchmarks.{name}"))]
        print(heading(), to_markdown(rows), to_json(rows), sep="\n\n")


main(sys.argv[1:])
