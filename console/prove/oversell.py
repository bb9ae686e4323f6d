"""The claim: against point-to-point connections nearly nothing is oversold. One demand, through each way of working.

The naive ways are played by `allocation.simulate` (each the kindest form of itself), Lockstep by its own flows against
the simulated vendors. Each run of Lockstep has a house of its own, and a process where there is more than one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final

from sqlalchemy import Engine, text

from allocation.document import read
from allocation.simulate import replay
from allocation.simulate.score import Tally
from allocation.simulate.types import History
from allocation.simulate.world import layout_of
from allocation.types import Rules
from console.prove import demand, lockstep
from console.prove.accounts import MARKET, SHOP, TILLS, Accounts, Pace
from console.prove.clockwork import Clockwork
from ledger.db import transaction
from workers.settings import Settings

NAIVE: Final = ("spreadsheet", "connector_60min", "hub_15min", "point_to_point")
OURS: Final = "lockstep"
THEIRS: Final = "point_to_point"
BEST: Final = replay.BEST
STRATEGIES: Final = (*NAIVE, OURS)
MONTH, WEEK = "may-2011", "black-friday-week"
SCENARIOS: Final = (MONTH, WEEK)

#: What an oversold line costs, as the claim has it, in USD: from, to.
COST_USD: Final = (30, 80)
#: Of somebody's work, for each oversold line, each halt and each row that Lockstep leaves to a person.
HANDLING_MIN: Final = round(lockstep.HANDLING_S / 60)

#: Seconds. Vendors promise none of these; they are assumptions, slower than what their pages and ours show when all is
#: well. The loss is the one that point-to-point connections are played with.
PACE: Final = Pace(
    hook_s={SHOP: (1.0, 10.0), TILLS: (1.0, 10.0), MARKET: (2.0, 20.0)},
    call_s=(0.2, 1.0),
    apply_s=5.0,
    lost=0.02,
)


@dataclass(frozen=True, slots=True)
class Size:
    """How much is played; the measurement proper has the defaults."""

    days: int = 30
    skus: int | None = 40
    stock_percent: int = 85
    week_skus: int = 20
    offers: int = 2


def history_of(scenario: str, seed: int, size: Size) -> History:
    """The demand of a scenario; the same for every strategy."""
    if scenario == MONTH:
        return demand.month(
            seed=seed, days=size.days, skus=size.skus, stock_percent=size.stock_percent
        )
    return demand.black_friday_week(
        seed=seed, skus=size.week_skus, offers=size.offers, stock_percent=size.stock_percent
    )


def rules_of_all() -> Rules:
    """The rules that every strategy lays its channels out by."""
    works = Clockwork(demand.WEEK_BEGINS)
    accounts = Accounts(works, lambda *_: (200, "OK"), 0, PACE)
    return read(accounts.rules()).rules()


def naive(
    scenario: str, seed: int, size: Size, progress: Callable[[int, int], None]
) -> dict[str, dict[str, Any]]:
    """What the naive ways come to, and the most that could be sold."""
    scores = replay.beside(history_of(scenario, seed, size), rules_of_all(), seed, progress)
    return {name: _row(asdict(score)) for name, score in scores.items()}


def ours(
    engine: Engine,
    settings: Settings,
    scenario: str,
    seed: int,
    size: Size,
    progress: Callable[[int, int], None],
) -> dict[str, Any]:
    """What Lockstep comes to. engine: of an empty, migrated database"""
    history = history_of(scenario, seed, size)
    run = lockstep.play(history, layout_of(rules_of_all()), engine, settings, PACE, seed, progress)
    tally: Tally = run.tally
    row = asdict(tally) | {
        "lost_units": tally.demanded_units - tally.sold_units,
        "oversold_rate": round(tally.oversold_lines / max(1, tally.accepted_lines), 6),
    }
    return _row(row, run.hand_work + run.halts) | {
        "halts": run.halts,
        "messages_lost": run.lost,
        "writes_swallowed": run.swallowed,
    }


def _row(score: Mapping[str, Any], hand_work: int = 0) -> dict[str, Any]:
    """The words of the claim, of one run."""
    names = (
        "demanded_lines",
        "accepted_lines",
        "oversold_lines",
        "oversold_rate",
        "oversold_units",
        "sold_units",
        "lost_units",
        "stranded_units",
    )
    lines = score["oversold_lines"]
    return {name: score[name] for name in names} | {
        "cost_usd": [lines * each for each in COST_USD],
        "exception_hours": round((lines + hand_work) * HANDLING_MIN / 60, 1),
        "left_to_people": hand_work,
    }


def durability(engine: Engine) -> dict[str, str]:
    """The database server that Lockstep was played on."""
    names = ("server_version", "fsync", "synchronous_commit")
    with transaction(engine) as connection:
        return {n: str(connection.execute(text(f"SHOW {n}")).scalar_one()) for n in names}
