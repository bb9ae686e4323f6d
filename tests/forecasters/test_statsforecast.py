"""Textbook models are what statsforecast says they are, and its own are told beside the mix."""

from __future__ import annotations

import json
import random
import subprocess
import sys
from pathlib import Path

import numpy
import pytest
from statsforecast import models as theirs

from allocation.planning.library import statsforecast
from allocation.planning.mixing import MIX
from allocation.planning.models import MODELS, PARTS, SINGLE
from allocation.planning.past import past
from allocation.planning.rehearsal import rehearse

JUDGES = {
    "moving_average": theirs.WindowAverage(window_size=12),
    "ses": theirs.SimpleExponentialSmoothing(alpha=0.1),
    "tsb": theirs.TSB(alpha_d=0.1, alpha_p=0.1),
    "sba": theirs.CrostonSBA(),
    "croston": theirs.CrostonClassic(),
    "naive": theirs.Naive(),
}


def a_demand(dice: random.Random) -> list[float]:
    often = dice.choice((0.15, 0.4, 0.9))
    units = [
        float(dice.randint(1, 40)) if dice.random() < often else 0.0
        for _ in range(dice.randint(16, 90))
    ]
    return units if units[0] else [3.0, *units[1:]]


@pytest.mark.parametrize("name", SINGLE)
def test_a_textbook_model_says_what_the_library_says(name: str) -> None:
    dice = random.Random(7)
    for units in [a_demand(dice) for _ in range(200)]:
        said = JUDGES[name].forecast(y=numpy.array(units), h=3)["mean"]

        assert MODELS[name](units, 3) == pytest.approx([float(each) for each in said], rel=1e-9)


def test_its_models_are_told_beside_ours_and_change_nothing_of_them() -> None:
    dice = random.Random(3)
    shop = [past(a_demand(dice)) for _ in range(40)]

    alone, beside = (
        rehearse(shop, 3, moments=2),
        rehearse(shop, 3, moments=2, beside=statsforecast()),
    )

    its = set(beside.scores) - set(alone.scores)
    assert its == {
        "its AutoETS", "its AutoTheta", "its optimized SES", "its optimized Croston", "its ADIDA", "its IMAPA",
    }  # fmt: skip
    assert {name: beside.scores[name] for name in (MIX, *SINGLE, *PARTS)} == {
        name: alone.scores[name] for name in (MIX, *SINGLE, *PARTS)
    }
    assert all(0.2 < beside.scores[name].rmsse < 3 for name in its)


def test_the_command_tells_them(tmp_path: Path) -> None:
    dice = random.Random(5)
    months = [f"20{10 + n // 12}-{n % 12 + 1:02}" for n in range(40)]
    rows = [[f"P{n}", *(str(dice.choice((0, 0, 1, 2, 5))) for _ in months)] for n in range(20)]
    file = tmp_path / "parts.csv"
    file.write_text("\n".join(",".join(row) for row in [["part", *months], *rows]))

    command = ("forecast", "backtest", "--file", str(file), "--with", "statsforecast", "--json")
    said = subprocess.run(
        [sys.executable, "-m", "console", *command], capture_output=True, text=True, check=False
    )

    assert said.returncode in (0, 3), said.stderr
    assert "its AutoETS" in json.loads(said.stdout)["scores"]
