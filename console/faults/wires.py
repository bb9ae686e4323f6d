"""Lines between workers and whom they speak to: cut, half-open, slow, and reset when a request has taken effect."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Final

from console.faults.house import SHOPS
from console.faults.proxy import Proxy
from console.faults.types import Fault, Scene

#: A line on which nothing of any size comes through in time.
_SLOW_BYTES_PER_S: Final = 100.0
#: Of a database's answers, where a task has a dozen of them; and of a shop's, where a task has one or two.
_SHARE: Final = {"postgres": 0.03, "valkey": 0.1, "vendor": 0.3}
_LINES: Final[dict[str, Sequence[str]]] = {
    "postgres": ("postgres",),
    "valkey": ("valkey",),
    "vendor": SHOPS,
}
_NAMED: Final = {"postgres": "PostgreSQL", "valkey": "Valkey", "vendor": "both shops"}


def _held(scene: Scene, line: str, worse: Callable[[Proxy], None]) -> list[str]:
    proxies = [scene.house.proxies[name] for name in _LINES[line]]
    for proxy in proxies:
        worse(proxy)
    try:
        time.sleep(scene.hold_s)
    finally:
        for proxy in proxies:
            proxy.pass_on()
    return []


def _cut(line: str) -> Callable[[Scene], list[str]]:
    return lambda scene: _held(scene, line, Proxy.cut)


def _swallowed(line: str) -> Callable[[Scene], list[str]]:
    return lambda scene: _held(scene, line, Proxy.swallow)


def _slow(line: str) -> Callable[[Scene], list[str]]:
    return lambda scene: _held(scene, line, lambda proxy: proxy.slow(_SLOW_BYTES_PER_S))


def _reset(line: str) -> Callable[[Scene], list[str]]:
    def does(scene: Scene) -> list[str]:
        before = sum(scene.house.proxies[name].resets for name in _LINES[line])
        _held(scene, line, lambda proxy: proxy.reset_answers(_SHARE[line]))
        resets = sum(scene.house.proxies[name].resets for name in _LINES[line]) - before
        scene.say(f"    {resets} answers were reset")
        return [] if resets else ["no answer was reset: nothing was tried"]

    return does


def _faults_of(line: str) -> tuple[Fault, ...]:
    to = f"between workers and {_NAMED[line]}"
    return (
        Fault(f"{line}-cut", f"every connection {to} is cut, and no new one is taken", _cut(line)),
        Fault(
            f"{line}-half-open",
            f"what is sent {to} arrives nowhere, and nobody is told",
            _swallowed(line),
        ),
        Fault(
            f"{line}-slow",
            f"{_SLOW_BYTES_PER_S:g} bytes a second and connection {to}",
            _slow(line),
        ),
        Fault(
            f"{line}-reset",
            f"connections {to} are reset after a request took effect ({_SHARE[line]:.0%} of answers)",
            _reset(line),
        ),
    )


FAULTS: Final = tuple(fault for line in _LINES for fault in _faults_of(line))
