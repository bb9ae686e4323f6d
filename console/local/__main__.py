"""`python -m console.local forget`: remove the home and what it keeps elsewhere. For `make clean`."""

from __future__ import annotations

import sys

from console.local.errors import LocalError
from console.local.stack import forget
from workers.settings import settings


def main(arguments: list[str]) -> int:
    """Exit code 0 when done, 1 with a sentence on stderr when refused, 2 for a wrong call."""
    if arguments != ["forget"]:
        sys.stderr.write("usage: python -m console.local forget\n")
        return 2
    try:
        forget(settings().home)
    except LocalError as refusal:
        sys.stderr.write(f"{refusal}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
