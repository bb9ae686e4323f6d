"""A house that works on under load with every twentieth call of a shop failing, and what it grows by."""

from __future__ import annotations

import subprocess
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import redis

from console.faults.acts import family, pid_of
from console.faults.house import House, opened
from console.faults.judge import judge
from console.faults.load import Load
from workers.settings import Settings

_EVERY_S: Final = 5.0
#: Calls of a shop that end with a 500.
_FAILS: Final = 0.05
#: Before this share of the time caches and pools fill; after it, growth is a leak.
_WARM: Final = 1 / 3
GOAL_MB_A_THOUSAND: Final = 1.0
_SERVICES: Final = ("relay", "beat", "worker-threads", "worker-prefork")

_SESSIONS: Final = """
    SELECT count(*) AS open,
           count(*) FILTER (WHERE state LIKE 'idle in transaction%'
                              AND clock_timestamp() - state_change > interval '5 s') AS stuck
    FROM pg_stat_activity WHERE usename = 'lockstep_app'
"""


@dataclass(frozen=True, slots=True)
class Look:
    """The house at one moment.

    deliveries    taken in since the start
    rss_mb        of our own processes, by service
    sessions      of the application at PostgreSQL;  stuck   idle in a transaction for over five seconds
    keys          in Valkey
    """

    at_s: float
    deliveries: int
    rss_mb: dict[str, float]
    sessions: int
    stuck: int
    keys: int


def measure(
    settings: Settings,
    home: Path,
    *,
    minutes: float,
    seed: int = 0,
    say: Callable[[str], None] = lambda _: None,
) -> dict[str, Any]:
    """Work for so long and look every few seconds.

    home      a folder of its own, for the servers
    returns   `growth_mb_a_thousand` deliveries by service, `sessions`, `keys`, the verdict, `passed`
    """
    with opened(settings, home / "soak", seed=seed) as house:
        opening, since = Counter(house.book()), datetime.now(UTC)
        for shop in house.shops.values():
            shop.ask("fault", kind="server_error", rate=_FAILS, seed=seed)
        load = Load(house, seed=seed)
        looks: list[Look] = []
        begun_s = time.monotonic()
        load.start()
        try:
            while (at_s := time.monotonic() - begun_s) < 60 * minutes:
                looks.append(_look(house, at_s))
                say(_line(looks[-1]))
                time.sleep(_EVERY_S)
        finally:
            diary = load.stop()
            for shop in house.shops.values():
                shop.ask("clear_faults")
        verdict = judge(house, diary, opening, since)
    return report(looks, verdict.as_json(), minutes=minutes, seed=seed)


def _look(house: House, at_s: float) -> Look:
    settings = house.stack.settings
    with redis.Redis.from_url(settings.redis_url) as client:
        keys = int(client.dbsize())
    sessions = house.rows(_SESSIONS)[0]
    taken = int(house.one("SELECT count(*) FROM inbox"))
    rss = {name: round(_rss_mb(family(pid_of(house, name))), 1) for name in _SERVICES}
    return Look(round(at_s, 1), taken, rss, sessions.open, sessions.stuck, keys)


def _rss_mb(pids: Sequence[int]) -> float:
    said = subprocess.run(
        ["ps", "-o", "rss=", "-p", ",".join(map(str, pids))], capture_output=True, text=True, check=False
    ).stdout  # fmt: skip
    return sum(int(line) for line in said.split()) / 1024


def _line(look: Look) -> str:
    memory = ", ".join(f"{name} {mb:g} MB" for name, mb in look.rss_mb.items())
    return (
        f"{look.at_s:>6.0f} s  {look.deliveries} deliveries, {memory}, {look.sessions} sessions"
        f" ({look.stuck} stuck), {look.keys} keys"
    )


def slope(points: Sequence[tuple[float, float]]) -> float:
    """How much the second grows by one of the first, by least squares; 0 for fewer than two."""
    if len(points) < 2:
        return 0.0
    mean_x = sum(x for x, _ in points) / len(points)
    mean_y = sum(y for _, y in points) / len(points)
    spread = sum((x - mean_x) ** 2 for x, _ in points)
    return sum((x - mean_x) * (y - mean_y) for x, y in points) / spread if spread else 0.0


def report(
    looks: Sequence[Look], verdict: dict[str, Any], *, minutes: float, seed: int
) -> dict[str, Any]:
    """What the looks come to; see `measure`."""
    warm = looks[int(len(looks) * _WARM) :]
    growth = {
        name: round(1000 * slope([(look.deliveries, look.rss_mb[name]) for look in warm]), 2)
        for name in _SERVICES
    }
    half = len(warm) // 2
    said = list(verdict["breaches"])
    said += [
        f"{name} grows by {mb:g} MB a thousand deliveries"
        for name, mb in growth.items()
        if mb > GOAL_MB_A_THOUSAND
    ]
    if max(look.stuck for look in looks):
        said.append("a session stood idle in a transaction for over five seconds")
    for what in ("sessions", "keys"):
        early, late = (
            max(getattr(look, what) for look in part) for part in (warm[:half], warm[half:])
        )
        if late > 1.3 * early + 20:
            said.append(f"{what} grow: {early} at most at first, {late} later")
    return {
        "minutes": minutes,
        "seed": seed,
        "growth_mb_a_thousand": growth,
        "goal_mb_a_thousand": GOAL_MB_A_THOUSAND,
        "sessions": max(look.sessions for look in looks),
        "keys": max(look.keys for look in looks),
        "verdict": verdict,
        "breaches": said,
        "looks": [asdict(look) for look in looks],
        "passed": verdict["passed"] and not said,
    }


def table(result: dict[str, Any], say: Callable[[str], None]) -> None:
    """The result for people."""
    for name, mb in result["growth_mb_a_thousand"].items():
        say(f"{name:<16} {mb:>6.2f} MB a thousand deliveries")
    say(f"at most {result['sessions']} sessions and {result['keys']} keys")
    verdict = result["verdict"]
    say(
        f"{verdict['accepted']} accepted, {verdict['applied']} applied, {verdict['lost']} lost,"
        f" {verdict['doubled']} doubled"
    )
    for breach in result["breaches"]:
        say(f"    {breach}")
