"""Lists reach PostgreSQL as they are, whatever stands in them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text
from sqlalchemy.exc import DataError

from tests.servers import Database

TEXTS = st.text(
    st.one_of(
        st.sampled_from("\"\\{},'\n\t NULLnull\u2028\u3000"),
        st.characters(exclude_categories=["Cs"], exclude_characters="\0"),
    ),
    max_size=12,
)
MOMENTS = st.integers(-60_000_000_000, 250_000_000_000).map(
    lambda seconds: datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds, microseconds=1)
)
LISTS = st.one_of(
    st.tuples(st.just("text"), st.lists(st.none() | TEXTS, max_size=9)),
    st.tuples(st.just("bigint"), st.lists(st.none() | st.integers(-(2**63), 2**63 - 1))),
    st.tuples(st.just("timestamptz"), st.lists(st.none() | MOMENTS, max_size=9)),
    st.tuples(st.just("boolean"), st.lists(st.none() | st.booleans(), max_size=9)),
    st.tuples(st.just("text"), st.lists(st.lists(TEXTS, min_size=2, max_size=2), min_size=1)),
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(LISTS)
def test_a_list_comes_back_as_it_went(
    database: Database, given_: tuple[str, Sequence[object]]
) -> None:
    kind, items = given_
    asked = text(f"SELECT CAST(:items AS {kind}[])")

    with database.engine.connect() as connection:
        assert connection.execute(asked, {"items": items}).scalar_one() == items


@pytest.mark.parametrize("items", [["a\0b"], ["a", "\0"], [None, "\0", "x"], ["a", 1]], ids=repr)
def test_what_no_array_holds_is_refused(database: Database, items: list[object]) -> None:
    with database.engine.connect() as connection, pytest.raises(DataError):
        connection.execute(text("SELECT CAST(:items AS text[])"), {"items": items})
