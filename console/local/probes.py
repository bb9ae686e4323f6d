"""Ways to tell that a process is ready for work: each takes the process and answers yes or no, at once."""

from __future__ import annotations

import time
from collections.abc import Callable
from http.client import HTTPException
from urllib.error import URLError
from urllib.request import urlopen

from console.local.child import Child

Probe = Callable[[Child], bool]


def http_answers(url: str, *, timeout_s: float = 1.0) -> Probe:
    """Ready once a GET of the address answers 2xx."""

    def answers(_child: Child) -> bool:
        try:
            with urlopen(url, timeout=timeout_s) as response:
                return 200 <= int(response.status) < 300
        except (URLError, HTTPException, OSError):
            return False

    return answers


def log_says(*words: str) -> Probe:
    """Ready once the process has written a line holding all of these words."""
    wanted = [word.encode() for word in words]

    def says(child: Child) -> bool:
        return any(all(word in line for word in wanted) for line in child.output().splitlines())

    return says


def survives(seconds: float) -> Probe:
    """Ready once it has run that long: for a process that says nothing."""

    def survived(child: Child) -> bool:
        return time.monotonic() - child.started_s >= seconds

    return survived
