"""The battery: one house, one fault after another, each under load and each judged alike."""

from __future__ import annotations

import os
import platform
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from typing import Any, Final

from sqlalchemy import text

from console.faults.catalogue import FAULTS
from console.faults.house import PLACE, House, opened
from console.faults.judge import SETTLES_S, Verdict, judge
from console.faults.load import EVERY_S, Load
from console.faults.releases import run_from, schema_of, taken_out
from console.faults.types import Fault, Scene
from ledger.db import transaction
from ledger.migrate import previous
from workers.settings import Settings

#: The house is busy for so long before a fault begins, and after it has ended.
_BEFORE_S: Final = 1.5
_AFTER_S: Final = 1.0


def measure(
    settings: Settings,
    home: Path,
    *,
    only: Sequence[str] = (),
    seed: int = 0,
    hold_s: float = 20.0,
    release: str = "",
    say: Callable[[str], None] = lambda _: None,
) -> dict[str, Any]:
    """Do the faults and judge each.

    home      a folder of its own, for the servers
    only      names of faults; all of them when empty
    hold_s    how long what can be held is held
    release   the commit that stands for an earlier release; "": the last one before the newest migration
    returns   `faults` (one object each), `skipped` (name -> why), `passed`, and how it was measured
    """
    chosen = [fault for fault in FAULTS if not only or fault.name in only]
    skipped = {fault.name: why for fault in chosen if (why := fault.missing())}
    able = [fault for fault in chosen if fault.name not in skipped]
    told: list[dict[str, Any]] = []
    durability: dict[str, str] = {}
    for number, (alone, together) in enumerate(_houses(able)):
        folder = home / str(number)
        with (
            alone.home(folder) if alone and alone.home else nullcontext(folder) as place,
            _opened(settings, place, alone, release, seed, say) as house,
        ):
            for fault in together:
                said = one(house, fault, seed=seed + able.index(fault), hold_s=hold_s, say=say)
                told.append(said)
                row(said, say)
            durability = _server(house)
    return {
        "seed": seed,
        "hold_s": hold_s,
        "settles_within_s": SETTLES_S,
        "posts_per_s": round(1 / EVERY_S),
        "faults": told,
        "skipped": skipped,
        "durability": durability,
        "machine": {"cores": os.cpu_count(), "python": platform.python_version()},
        # A fault that could not be tried here is told, and is no failure; one that was asked for by name is.
        "passed": bool(told) and all(one["passed"] for one in told) and not (only and skipped),
    }


def _opened(
    settings: Settings,
    place: Path,
    alone: Fault | None,
    release: str,
    seed: int,
    say: Callable[[str], None],
) -> AbstractContextManager[House]:
    """The house, as it is or as an earlier release ran it."""
    if alone is None or alone.release is None:
        return opened(settings, place, seed=seed)
    commit = release or alone.release()
    schema = schema_of(commit) if commit else ""
    if not schema:
        say(f"    no commit {commit or 'before this one'} is at hand: this release stands for it")
        return opened(settings, place, seed=seed, schema=previous())
    say(f"    begins as of commit {commit[:12]}, schema {schema}")
    source = taken_out(commit, place.with_name(f"release-{commit[:12]}"))
    return opened(settings, place, seed=seed, schema=schema, ran=run_from(source))


def _houses(faults: Sequence[Fault]) -> Iterator[tuple[Fault | None, Sequence[Fault]]]:
    """Who needs a house of his own, and which faults are done to one house."""
    shared = [fault for fault in faults if not fault.is_alone]
    if shared:
        yield None, shared
    yield from ((fault, [fault]) for fault in faults if fault.is_alone)


def one(
    house: House, fault: Fault, *, seed: int, hold_s: float, say: Callable[[str], None]
) -> dict[str, Any]:
    """Do one fault to a house under load, and judge it; what `measure` returns for it."""
    opening, since = Counter(house.book()), datetime.now(UTC)
    load = Load(house, seed=seed)
    begun_s = time.monotonic()
    load.start()
    meanwhile = []
    try:
        time.sleep(_BEFORE_S)
        meanwhile = fault.does(Scene(house, load, hold_s, Random(seed), say))
        time.sleep(_AFTER_S)
    finally:
        diary = load.stop()
    lasted_s = time.monotonic() - begun_s
    verdict = judge(house, diary, opening, since)
    return _told(fault, verdict, meanwhile) | {
        "refused": len(diary.refused),
        "orders": diary.orders,
        "answers": {str(status): count for status, count in sorted(diary.answers.items())},
        "seconds": round(lasted_s, 1),
    }


def _told(fault: Fault, verdict: Verdict, meanwhile: Sequence[str]) -> dict[str, Any]:
    said = {"name": fault.name, **verdict.as_json()}
    said["breaches"] = [*meanwhile, *said["breaches"]]
    said["passed"] = verdict.passed and not meanwhile
    return said


def _server(house: House) -> dict[str, str]:
    names = ("fsync", "synchronous_commit", "server_version")
    with transaction(house.wiring.engine) as connection:
        said = {n: str(connection.execute(text(f"SHOW {n}")).scalar_one()) for n in names}
    return said | {"redis": str(house.wiring.redis.info("server")["redis_version"])}


def row(one: dict[str, Any], say: Callable[[str], None]) -> None:
    """A fault for people."""
    settled = "not settled" if one["settle_s"] is None else f"settled {one['settle_s']:>4} s"
    say(
        f"{'ok ' if one['passed'] else 'BAD'} {one['name']:<22} accepted {one['accepted']:>5}  applied"
        f" {one['applied']:>5}  lost {one['lost']}  doubled {one['doubled']}  refused {one['refused']:>4}  {settled}"
    )
    for breach in one["breaches"]:
        say(f"    {breach}")


def table(result: dict[str, Any], say: Callable[[str], None]) -> None:
    """The result for people."""
    for one in result["faults"]:
        row(one, say)
    for name, why in result["skipped"].items():
        say(f"--  {name:<22} {why}")
    said = result["durability"]
    say(
        f"PostgreSQL {said['server_version']}, fsync {said['fsync']}, synchronous_commit {said['synchronous_commit']},"
        f" Redis {said['redis']}, {result['machine']['cores']} cores, Python {result['machine']['python']};"
        f" held for {result['hold_s']:g} s, {PLACE} with {result['posts_per_s']} posts a second"
    )
