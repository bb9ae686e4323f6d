"""Which model a series is forecast with: the one that would have been best, from several moments of its own past."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from allocation.planning.accuracy import Score, from_first_sale, score, together
from allocation.planning.models import MODELS, Periods, known

#: What is forecast with where the past is too short to choose by.
USUAL: Final = "moving_average"
#: Periods with something to say that a train needs.
LEAST_TRAIN: Final = 12
FOLDS: Final = 6


@dataclass(frozen=True, slots=True)
class Chosen:
    """The model that won, and the table it won by; an empty table: nothing could be compared.

    folds    moments of the past that were forecast from
    """

    model: str
    scores: Mapping[str, Score]
    folds: int


def origins(periods: Periods, horizon: int, folds: int = FOLDS) -> list[int]:
    """Places to forecast from, newest first, `horizon` apart: each has a long enough train and all its future."""
    places = range(len(periods) - horizon, 0, -horizon)
    return [
        place
        for place in list(places)[:folds]
        if len(known(from_first_sale(periods[:place]))) >= LEAST_TRAIN
    ]


def choose(
    periods: Periods,
    horizon: int,
    *,
    models: Sequence[str] = tuple(MODELS),
    folds: int = FOLDS,
) -> Chosen:
    """Forecast `horizon` periods with each model from each origin; the least RMSSE + |bias| + sum error wins.

    A model that wins by less than rounding over a simpler one does not win.
    """
    places = origins(periods, horizon, folds)
    found: dict[str, list[Score]] = {name: [] for name in models}
    for place in places:
        train, actual = periods[:place], periods[place : place + horizon]
        for name in models:
            one = score(train, actual, MODELS[name](train, horizon))
            if one is not None:
                found[name].append(one)
    table = {name: together(scores) for name, scores in found.items() if scores}
    if not table:
        return Chosen(USUAL, {}, 0)
    best = min(table, key=lambda name: round(table[name].total, 9))
    return Chosen(best, table, len(found[best]))
