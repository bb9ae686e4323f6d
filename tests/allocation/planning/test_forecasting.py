"""The mix and its spread: what all series teach, what one teaches, and how both stand when tried on what came later."""

from __future__ import annotations

import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from allocation.planning import powers
from allocation.planning.accuracy import Score, score, together
from allocation.planning.mixing import (
    BELIEVED,
    MIX,
    MIXED,
    Pool,
    Powers,
    Tried,
    choose,
    mixed_ahead,
    pooled,
    trials,
    tried,
    weights,
)
from allocation.planning.models import MODELS, PARTS, SINGLE
from allocation.planning.need import Demand, forecast, need
from allocation.planning.past import Past, ahead, came, has, judge, judged, moments, past
from allocation.planning.rehearsal import Cycles, Rehearsed, rehearse
from allocation.planning.spread import (
    ANY,
    NOTHING_LEARNED,
    SERVICES,
    Learned,
    Spread,
    learn,
    spread_of_misses,
)

GAPPY = [0.0, None, 0, 5, 0, None, 0, 0, 3, 0, None, 4, 0, 0, 2, 1, 0, 6, 0, 2, 0, 3, 0, 0]


def a_shop(series: int = 400, weeks: int = 44, seed: int = 11) -> list[Past]:
    """Made demand: steady, seldom, in lumps; some grows, some fades, some begins late."""
    dice = random.Random(seed)
    found = []
    for number in range(series):
        level = dice.lognormvariate(1.5, 1.2)
        often = dice.choice((1.0, 0.8, 0.4, 0.15))
        drift = dice.choice((0.0, 0.0, 0.02, -0.03))
        begins = dice.choice((0, 0, 0, 12))
        units: list[float | None] = []
        for week in range(weeks):
            level *= math.exp(dice.gauss(drift, 0.08))
            came = dice.random() < often and week >= begins
            units.append(
                float(round(dice.lognormvariate(math.log(level / often + 0.5), 0.7)))
                if came
                else 0.0
            )
        if number % 9 == 0:
            units[20] = None
        if any(units):
            found.append(past(units))
    return found


def test_a_past_knows_of_each_moment_what_a_series_cut_off_there_says() -> None:
    whole = past(GAPPY)

    for place in range(4, len(whole.periods)):
        then = past(whole.periods[:place])
        assert then.known == whole.before[place]
        for name in MODELS:
            said = ahead(whole, name, place, 3)
            assert list(said) == pytest.approx(list(MODELS[name](whole.periods[:place], 3))), name
        assert then.steps[-1] == pytest.approx(whole.steps[then.known])
        assert then.errors[-1] == pytest.approx(whole.errors[then.known])


def test_a_moment_is_judged_as_the_measures_say() -> None:
    of = past(GAPPY)
    place = 17

    for name in SINGLE:
        said = MODELS[name](of.periods[:place], 4)
        found = judge(of, name, place, 4)
        usual = score(of.periods[:place], of.periods[place : place + 4], said)
        assert found is not None
        assert usual is not None
        assert (found.rmsse, found.bias, found.sum_error) == pytest.approx(
            (usual.rmsse, usual.bias, usual.sum_error)
        )
    assert judged(past([1.0, 3, None]), 2, (2.0,)) is None


def test_moments_leave_a_train_before_them_and_a_future_after() -> None:
    of = past([1.0, 2.0] * 15)

    assert moments(of, 30, 4, least=12) == [26, 22, 18, 14]
    assert moments(of, 22, 4, least=12) == [18, 14]
    assert moments(of, 30, 4, least=12, folds=2) == [26, 22]
    assert moments(past([0.0] * 10 + [1.0, 2.0] * 10), 20, 4, least=12) == [16, 12]
    # A series that never moved has no step to measure by.
    assert moments(past([3.0] * 30), 30, 4, least=12) == []


def test_what_all_series_say_weighs_until_one_has_a_past_of_its_own() -> None:
    pool = Pool({"moving_average": 0.9, "warm_tsb_10": 1.1}, Powers(24, 24, 0))
    parts = ("moving_average", "warm_tsb_10")

    nothing = weights(Tried({}, 0), pool, parts)
    short = weights(Tried({"moving_average": [2.0], "warm_tsb_10": [1.0]}, 1), pool, parts)
    long = weights(Tried({"moving_average": [2.0] * 6, "warm_tsb_10": [1.0] * 6}, 6), pool, parts)

    assert nothing["moving_average"] > 0.9
    assert nothing["moving_average"] > short["moving_average"] > long["moving_average"]
    assert long["warm_tsb_10"] > 0.5
    assert math.fsum(short.values()) == pytest.approx(1)


def test_the_best_textbook_model_takes_its_share() -> None:
    of_all = Pool({"sba": 0.5, "moving_average": 0.9}, Powers(24, 24, 0.75))

    found = weights(Tried({}, 0), of_all)

    assert found["sba"] == 0.75
    assert math.fsum(found.values()) == pytest.approx(1)


def test_where_nothing_was_tried_parts_weigh_by_what_is_believed_of_them() -> None:
    found = weights(Tried({}, 0), Pool())

    assert set(found) == set(PARTS)
    assert math.fsum(found.values()) == pytest.approx(1)
    assert found["warm_tsb_20"] > found["mean"]
    assert set(BELIEVED) == {*MIXED, *SINGLE}


def test_pooled_errors_let_series_decide_on_which_parts_differ() -> None:
    calm = Tried({"moving_average": [0.1], "warm_tsb_10": [0.2]}, 1)
    wild = Tried({"moving_average": [9.0], "warm_tsb_10": [3.0]}, 1)

    found = pooled([calm, wild, Tried({}, 0)] * 20)

    assert found["warm_tsb_10"] < 1 < found["moving_average"]


def test_a_few_series_change_little_of_what_is_believed_and_many_do() -> None:
    one = Tried({"moving_average": [9.0], "warm_tsb_10": [3.0]}, 1)

    few, many = pooled([one]), pooled([one] * 500)

    assert pooled([]) == pytest.approx(BELIEVED)
    assert BELIEVED["moving_average"] < few["moving_average"] < 1.05
    assert many["moving_average"] == pytest.approx(1.5, rel=0.05)


def learned_from(series: list[Past], horizon: int = 3) -> Pool:
    found = powers.pool(series, [trials(of, len(of.periods), horizon) for of in series])
    assert found is not None
    return found


def test_the_own_past_is_believed_where_series_differ_and_not_where_they_only_stray() -> None:
    dice = random.Random(5)
    # Each strays about a mean of its own; or half of them jump about and half stand.
    alike = [past([float(dice.randint(0, 9)) for _ in range(50)]) for _ in range(150)]
    jumping = []
    for number in range(150):
        level = 20.0
        units = []
        for _ in range(50):
            level = max(1.0, level + (dice.choice((-5.0, 5.0)) if number % 2 else 0.0))
            units.append(level + dice.choice((-3.0, 3.0)) * (1 - number % 2))
        jumping.append(past(units))

    assert learned_from(alike).powers.own < learned_from(jumping).powers.own


def test_a_past_too_short_to_try_teaches_no_powers() -> None:
    short = past([3.0, 4, 5])

    assert powers.pool([short], [trials(short, 3, 4)]) is None


def test_the_season_is_mixed_in_only_where_there_was_one() -> None:
    year = [10.0 + 8 * math.sin(2 * math.pi * week / 52) for week in range(52)]
    long, short = past(year * 2 + year[:20]), past(year)

    of_all = pooled([tried(long, len(long.periods), 4)] * 20)
    found = choose(long, 4, Pool(of_all, Powers(24, 24, 0)))

    assert found.model == "seasonal"
    assert found.scores["seasonal"].total < found.scores["moving_average"].total
    assert {MIX, *SINGLE, *PARTS} <= set(found.scores)
    assert not has(short, "seasonal", 40)
    assert "seasonal" not in choose(short, 4, Pool()).weights


def test_a_short_past_says_that_nothing_was_compared() -> None:
    found = choose(past([3.0, 4, 5]), 4, Pool())

    assert (found.scores, found.folds) == ({}, 0)
    assert forecast(Demand([3.0, 4, 5], 4 / 7, 0.2), 28).per_day == pytest.approx(4.5 / 7, rel=0.1)


def test_what_was_never_wanted_is_forecast_as_nothing() -> None:
    found = forecast(Demand([], 0.0, 0.0), 28)

    assert (found.per_day, found.kind) == (0, None)
    assert need(found, 14).enough(0.95) == 0


def test_misses_of_the_past_say_how_much_is_enough() -> None:
    # Of 200 misses 190 are below 2: two deviations are enough in 95 of 100.
    spread = spread_of_misses([-math.inf] * 50 + [0.5] * 50 + [2.0] * 90 + [7.0] * 10)

    assert spread.at(0.95) == 2.0
    assert spread.at(0.99) == 7.0
    assert spread.at(0.5) == 0.5
    assert spread.at(0.999) > 7.0
    assert spread.chance(2.0) >= 0.94
    assert spread.chance(-9) == SERVICES[0]
    assert spread.chance(99) == SERVICES[-1]


def test_a_kind_with_few_misses_is_planned_as_all_of_them_and_too_few_as_the_tables_say() -> None:
    wide, narrow = Spread((3.0,) * len(SERVICES)), Spread((1.0,) * len(SERVICES))
    learned = Learned({4: Pool()}, {2: {ANY: wide}, 8: {ANY: wide, "smooth": narrow}}, 9)

    assert learned.spread(7, "smooth") is narrow
    assert learned.spread(7, "lumpy") is wide
    assert learned.spread(2.2, "smooth") is wide
    assert NOTHING_LEARNED.spread(4, "smooth") is None
    assert learn(a_shop(30)).spread(4, "smooth") is None


@given(st.lists(st.floats(-5, 50), min_size=1, max_size=60), st.floats(0.5, 0.999))
def test_more_service_never_needs_less(misses: list[float], service: float) -> None:
    spread = spread_of_misses(misses)

    assert spread.at(service) <= spread.at(min(0.9995, service + 0.0005)) + 1e-9
    assert list(spread.k) == sorted(spread.k)


def test_a_need_that_was_learned_grows_with_time_and_with_service() -> None:
    shop = a_shop()
    learned = learn(shop, horizons=(2,))
    of = forecast(Demand(shop[0].periods, 1.0, 1.0), 14, learned)

    week, month = need(of, 7, learned=learned), need(of, 28, learned=learned)

    assert week.called == "learned"
    assert week.enough(0.9) <= week.enough(0.98) <= month.enough(0.98)
    assert month.demand.mean == pytest.approx(4 * week.demand.mean)
    assert 0.5 <= week.chance(math.ceil(week.enough(0.95))) <= 1


def test_tried_on_later_moments_the_mix_beats_textbook_models_and_service_is_reached() -> None:
    found = rehearse(a_shop(), 3, moments=3)

    assert found.forecasts > 900
    assert [goal for goal, reached in found.goals().items() if not reached] == []
    mix = found.scores[MIX]
    for name in SINGLE:
        assert mix.rmsse <= found.scores[name].rmsse, name
        assert mix.sum_error <= found.scores[name].sum_error, name
    for each in found.cycles:
        assert each.reached == pytest.approx(each.target, abs=0.02)


def test_what_came_after_a_moment_changes_nothing_of_what_was_said_at_it() -> None:
    shop = a_shop(250)
    cut = [past(of.periods[:-6]) for of in shop]
    ends = [len(of.periods) - 6 for of in shop]

    assert learn(shop, ends, (3,)) == learn(cut, None, (3,))


def test_a_past_too_short_to_try_misses_the_goal_and_says_so() -> None:
    found = rehearse([past([1.0, 2, 3])], 4)

    assert found.goals() == {"there is a past to forecast from": False}


def test_biases_are_told_in_units_too() -> None:
    found = rehearse(a_shop(200), 3, moments=2)

    assert set(found.units_off) == set(found.scores)
    assert abs(found.units_off[MIX]) < 0.2
    assert together([found.scores[MIX]]) == found.scores[MIX]


@pytest.mark.parametrize(("by_chance", "reached"), [(0.02, False), (0.2, True)])
def test_a_mix_is_worse_than_the_best_model_only_where_chance_does_not_explain_it(
    by_chance: float, reached: bool
) -> None:
    scores = {name: Score(0.8, 0, 0.8) for name in (*SINGLE, *PARTS)} | {MIX: Score(0.9, 0, 0.7)}
    doubt = {name: {"rmsse": by_chance, "sum_error": 0.0} for name in scores}
    found = Rehearsed(4, 9, 4, 9, scores, doubt)

    assert found.above("naive", "rmsse") == pytest.approx(0.1)
    goals = found.goals()
    assert [goals[goal] for goal in goals if "rmsse" in goal] == [reached]
    assert all(goals[goal] for goal in goals if "rmsse" not in goal)


def test_chance_is_less_the_more_series_say_the_same() -> None:
    few, many = rehearse(a_shop(60), 3, moments=2), rehearse(a_shop(240), 3, moments=2)

    assert 0 < many.doubt["naive"]["rmsse"] < few.doubt["naive"]["rmsse"]


def test_a_level_held_against_what_came_is_judged_as_a_forecast_of_it() -> None:
    of = past(GAPPY)
    held = came(of, 17, 4)
    score_of = judged(of, 17, (1.7,) * 4)

    assert held is not None
    assert score_of is not None
    assert held.off(1.7) == pytest.approx((score_of.rmsse, score_of.sum_error))


def test_days_of_a_week_are_forecast_as_they_were_in_the_weeks_before() -> None:
    week = [9.0, 1, 1, 1, 1, 6, 0]
    of = past(week * 9, season=7)

    assert has(of, "seasonal", 60)
    assert not has(past(week * 9), "seasonal", 60)
    assert list(ahead(of, "seasonal", len(of.periods), 9)) == [*week, 9.0, 1.0]
    assert mixed_ahead(of, len(of.periods), 7, {"seasonal": 1.0}) == week


def test_a_service_is_missed_by_more_than_two_points_where_many_cycles_tell() -> None:
    assert not Cycles(0.9, 0.93, 5.0, 5_000).is_kept
    assert Cycles(0.9, 0.93, 5.0, 300).is_kept
    assert Cycles(0.9, 0.915, 5.0, 5_000).is_kept
    assert not Cycles(0.9, 0.8, 5.0, 300).is_kept
