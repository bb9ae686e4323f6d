"""Models of a reference library beside ours, where it is installed: `pip install 'lockstep[statsforecast]'`.

They are for comparison alone (`forecast backtest --with statsforecast`): no run uses them, so nothing that a worker
imports weighs more for them. Each is fitted anew to the known periods before each moment.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, TypeAlias

#: Known periods of each series, how many to forecast, periods of a season -> by model, the forecast of each series.
Beside: TypeAlias = Callable[
    [Sequence[Sequence[float]], int, int], Mapping[str, Sequence[Sequence[float]]]
]
STATSFORECAST: Final = "statsforecast"
#: Longer seasons are more than its automatic models can fit.
_LONGEST_SEASON: Final = 24
_SEASONS: Final = 2


class NotInstalled(Exception):
    """The library is not there; the message says how to get it."""


def statsforecast() -> Beside:
    """Its models that choose for themselves. Raises NotInstalled."""
    try:
        from statsforecast import models
    except ImportError:
        raise NotInstalled(
            "statsforecast is not installed: run `pip install 'lockstep[statsforecast]'`"
        ) from None

    def say(
        known: Sequence[Sequence[float]], horizon: int, season: int
    ) -> dict[str, list[list[float]]]:
        found: dict[str, list[list[float]]] = {}
        for values in known:
            fits = season <= _LONGEST_SEASON and len(values) > _SEASONS * season
            for name, model in _made(models, season if fits else 1).items():
                found.setdefault(f"its {name}", []).append(_said(model, values, horizon))
        return found

    return say


def _made(models: Any, season: int) -> dict[str, Any]:
    return {
        "AutoETS": models.AutoETS(season_length=season),
        "AutoTheta": models.AutoTheta(season_length=season),
        "optimized SES": models.SimpleExponentialSmoothingOptimized(),
        "optimized Croston": models.CrostonOptimized(),
        "ADIDA": models.ADIDA(),
        "IMAPA": models.IMAPA(),
    }


def _said(model: Any, values: Sequence[float], horizon: int) -> list[float]:
    import numpy

    said = model.forecast(y=numpy.array(values, dtype=float), h=horizon)["mean"]
    return [float(units) for units in said]
