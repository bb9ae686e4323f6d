"""What the runs of the proof come to: every way of working side by side, over all seeds, and the goals."""

from __future__ import annotations

import os
import platform
import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from typing import Any, Final, NamedTuple, TypeAlias

from console.prove.oversell import BEST, COST_USD, HANDLING_MIN, OURS, PACE, THEIRS, Size

GOAL_DROP: Final = 0.95
GOAL_RATE: Final = 0.002
#: Who sells nothing oversells nothing: of the units that who knows all sells, so many at least.
GOAL_FILL: Final = 0.97

#: What one strategy came to, in the words of the claim.
Row: TypeAlias = dict[str, Any]
#: seed -> strategy -> its row
BySeed: TypeAlias = Mapping[int, Mapping[str, Row]]


class Measured(NamedTuple):
    """What the goals are about, of one seed or of all; no drop where there was nothing to be improved on."""

    oversold_rate: float
    fill_of_best: float
    drop_against_point_to_point: float | None

    @property
    def reached(self) -> bool:
        """Whether all goals are kept."""
        drop = self.drop_against_point_to_point
        return (
            self.oversold_rate < GOAL_RATE
            and self.fill_of_best >= GOAL_FILL
            and (drop is None or drop >= GOAL_DROP)
        )


def verdict(runs: Mapping[str, BySeed], size: Size) -> dict[str, Any]:
    """Everything side by side.

    runs       by scenario
    returns    the result; `passed` when every scenario keeps all goals over all its seeds together
    """
    scenarios = {name: _scenario(of) for name, of in runs.items()}
    return {
        "scenarios": scenarios,
        "goals": Measured(GOAL_RATE, GOAL_FILL, GOAL_DROP)._asdict(),
        "size": asdict(size),
        "assumed": {
            "cost_usd_per_oversold_line": COST_USD,
            "handling_min_per_exception": HANDLING_MIN,
            "pace_s": asdict(PACE),
        },
        "machine": {"cores": os.cpu_count(), "python": platform.python_version()},
        "passed": bool(scenarios) and all(each["passed"] for each in scenarios.values()),
    }


def _scenario(of: BySeed) -> dict[str, Any]:
    seeds = sorted(of)
    strategies = {name: _summed([of[seed][name] for seed in seeds]) for name in of[seeds[0]]}
    said: dict[str, Any] = {
        "seeds": seeds,
        "strategies": strategies,
        "by_seed": {str(seed): dict(of[seed]) for seed in seeds},
    }
    if not {OURS, BEST, THEIRS} <= strategies.keys():
        return said | {"passed": False}
    of_all, each = _measured(strategies), [_measured(of[seed]) for seed in seeds]
    told = {
        name: None if value is None else round(value, 6) for name, value in of_all._asdict().items()
    }
    ends = {
        "spread": {name: _spread([getattr(one, name) for one in each]) for name in told},
        "seeds_that_miss_alone": [
            seed for seed, one in zip(seeds, each, strict=True) if not one.reached
        ],
        "passed": of_all.reached,
    }
    return said | told | ends


def _measured(rows: Mapping[str, Row]) -> Measured:
    mine, theirs = rows[OURS], rows[THEIRS]
    oversold = theirs["oversold_lines"]
    return Measured(
        mine["oversold_lines"] / max(1, mine["accepted_lines"]),
        mine["sold_units"] / max(1, rows[BEST]["sold_units"]),
        1 - mine["oversold_lines"] / oversold if oversold else None,
    )


def _summed(rows: Sequence[Row]) -> Row:
    """All seeds together, and how far they lie apart."""
    total: Row = {
        name: sum(row[name] for row in rows)
        for name, value in rows[0].items()
        if isinstance(value, int)
    }
    total["oversold_rate"] = round(total["oversold_lines"] / max(1, total["accepted_lines"]), 6)
    total["exception_hours"] = round(sum(row["exception_hours"] for row in rows), 1)
    total["cost_usd"] = [total["oversold_lines"] * each for each in COST_USD]
    names = ("oversold_rate", "oversold_lines", "sold_units")
    total["spread"] = {name: _spread([row[name] for row in rows]) for name in names}
    return total


def _spread(values: Sequence[float | None]) -> dict[str, float] | None:
    """The least, the middle one and the most; None where none of the seeds says anything."""
    said = [value for value in values if value is not None]
    if not said:
        return None
    least, middle, most = min(said), statistics.median(said), max(said)
    return {"min": round(least, 6), "median": round(middle, 6), "max": round(most, 6)}


def table(result: dict[str, Any], say: Callable[[str], None]) -> None:
    """The result for people."""
    for name, scenario in result["scenarios"].items():
        say(f"{name}, seeds {', '.join(map(str, scenario['seeds']))}")
        say(
            f"  {'strategy':<16} {'accepted':>8} {'oversold':>8} {'rate':>8} {'by seed: min, median, max':>27}"
            f" {'units':>7} {'lost units':>10} {'cost USD':>15} {'hours':>6}"
        )
        for strategy, row in scenario["strategies"].items():
            low, high = row["cost_usd"]
            say(
                f"  {strategy:<16} {row['accepted_lines']:>8} {row['oversold_lines']:>8}"
                f" {_percent(row['oversold_rate'])} {_percents(row['spread']['oversold_rate']):>27}"
                f" {row['oversold_units']:>7} {row['lost_units']:>10}"
                f" {f'{low:,}-{high:,}':>15} {row['exception_hours']:>6}"
            )
        if "spread" in scenario:
            _goals_said(scenario, say)


def _goals_said(scenario: dict[str, Any], say: Callable[[str], None]) -> None:
    drop, spread = scenario["drop_against_point_to_point"], scenario["spread"]
    if drop is not None:
        apart = _percents(spread["drop_against_point_to_point"])
        say(f"  against point-to-point: {100 * drop:.1f} % fewer oversold lines (by seed {apart})")
    say(
        f"  sold {100 * scenario['fill_of_best']:.2f} % of the units that who knows all sells"
        f" (by seed {_percents(spread['fill_of_best'])})"
    )
    if scenario["seeds_that_miss_alone"]:
        alone = ", ".join(map(str, scenario["seeds_that_miss_alone"]))
        say(f"  seeds that would miss a goal by themselves: {alone}")


def _percent(part: float) -> str:
    return f"{100 * part:>6.3f} %"


def _percents(spread: Mapping[str, float]) -> str:
    return ", ".join(f"{100 * spread[name]:.2f}" for name in ("min", "median", "max")) + " %"
