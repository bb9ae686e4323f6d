"""What no vendor has sent yet: examples with pieces lost, changed, nested, respelt, and on other topics."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from channels.registry import LANES
from tests.doors.doorstep import CHANNELS, STATES, Doorstep, a_doorstep, has_a_named_end
from tests.doors.examples import Example, leaves, ours
from tests.servers import Database

KINDS = sorted(LANES.keys() & CHANNELS.keys())
EXAMPLES = {kind: [e for e in ours() if e.kind == kind] for kind in CHANNELS}
SEARCH = settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


@pytest.fixture
def step(database: Database) -> Iterator[Doorstep]:
    with a_doorstep(database) as step:
        for kind in KINDS:
            step.know(kind, ((e.topic, e.body) for e in EXAMPLES[kind]))
        yield step


def nested(depth: int, inside: Any = 1) -> Any:
    """A list in a list in a list."""
    for _ in range(depth):
        inside = [inside]
    return inside


STRANGE = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(min_value=-(10**40), max_value=10**40),
    st.sampled_from([2**53 + 1, 2**63, -(2**63) - 1, 10**400, 1e308, 0.5, -1]),
    st.text(max_size=20),
    st.sampled_from(
        ["", "\x00", "\ud800", "NaN", "1e999", "9" * 500, "-0", "2026-02-30T00:00:00Z",
         "0001-01-01T00:00:00-14:00", "9999-12-31T23:59:59Z", "gid://shopify/ProductVariant/"]
    ),
    st.sampled_from([[], {}, [[]], {"": {}}, [{}] * 300]).map(copy.deepcopy),
    st.integers(min_value=1, max_value=200).map(nested),
)  # fmt: skip


@st.composite
def twisted(draw: st.DrawFn, kind: str) -> tuple[Example, bytes]:
    """An example with up to four pieces dropped, replaced, renamed, doubled or respelt."""
    example = draw(st.sampled_from(EXAMPLES[kind]))
    document = copy.deepcopy(json.loads(example.body))
    for _ in range(draw(st.integers(min_value=1, max_value=4))):
        places = leaves(document)
        if not places:
            break
        _twist(draw, document, draw(st.sampled_from(places)))
    # ASCII only: a lone surrogate is escaped, as a vendor in another language would send it.
    return example, json.dumps(document).encode()


def _twist(draw: st.DrawFn, document: Any, place: tuple[str | int, ...]) -> None:
    inside = document
    for name in place[:-1]:
        inside = inside[name]
    last: Any = place[-1]
    how = draw(st.sampled_from(["drop", "replace", "replace", "rename", "double"]))
    if how == "replace" or (how != "drop" and isinstance(inside, list) and how == "rename"):
        inside[last] = draw(STRANGE)
    elif how == "drop":
        del inside[last]
    elif how == "double":
        inside[last] = [inside[last], inside[last]]
    else:
        name = str(last)
        spelt = draw(st.sampled_from([name.swapcase(), name[:1].swapcase() + name[1:], name + " "]))
        inside[spelt] = inside.pop(last)


def ends_well(step: Doorstep, kind: str, topic: str, body: bytes) -> None:
    """The door answers with a name, and what it kept is settled with a reason."""
    answer = step.leave(kind, topic, body)
    said = has_a_named_end(answer)
    step.drain()
    ends = step.became()

    assert said == ""
    assert len(ends) == (answer.status_code == 200)
    for _, state, why in ends:
        assert state in STATES
        assert state == "applied" or why


@pytest.mark.parametrize("kind", KINDS)
@SEARCH
@given(data=st.data())
def test_a_twisted_example_has_an_end_with_a_name(
    step: Doorstep, kind: str, data: st.DataObject
) -> None:
    example, body = data.draw(twisted(kind))

    ends_well(step, kind, example.topic, body)


@pytest.mark.parametrize("kind", KINDS)
@SEARCH
@given(data=st.data())
def test_an_example_on_another_topic_has_an_end_with_a_name(
    step: Doorstep, kind: str, data: st.DataObject
) -> None:
    """Shopify's topic is a header that no signature covers; others have theirs in the body."""
    example = data.draw(st.sampled_from(EXAMPLES[kind]))
    topic = data.draw(st.sampled_from([*sorted(LANES[kind].topics), "fact", "x12", "a/b", "ö" * 3]))
    body = example.body
    document = json.loads(body)
    name = next((key for key in document if key.lower() in ("type", "notificationtype")), None)
    if name is not None:
        body = json.dumps({**document, name: topic}).encode()

    ends_well(step, kind, topic.encode("ascii", "replace").decode(), body)


@pytest.mark.parametrize("kind", KINDS)
@SEARCH
@given(data=st.data())
def test_bytes_of_any_kind_have_an_end_with_a_name(
    step: Doorstep, kind: str, data: st.DataObject
) -> None:
    example = data.draw(st.sampled_from(EXAMPLES[kind]))
    whole = example.body
    cut = data.draw(st.integers(min_value=0, max_value=len(whole)))
    body = data.draw(
        st.one_of(
            st.binary(max_size=200),
            st.sampled_from([whole[:cut], b"\xef\xbb\xbf" + whole, whole + b"\x00", whole * 2]),
            st.sampled_from(
                [b"null", b"[]", b"{}", b"0", b'""', b"NaN", whole.decode().encode("utf-16")]
            ),
            st.integers(min_value=1, max_value=20_000).map(lambda n: b"[" * n + b"]" * n),
            st.integers(min_value=1, max_value=20_000).map(
                lambda n: b'{"a":' * n + b"1" + b"}" * n
            ),
        )
    )

    ends_well(step, kind, example.topic, body)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("around", [("[", "]"), ('{"a":', "}")], ids=["lists", "objects"])
def test_a_body_nested_however_deep_has_an_end_with_a_name(
    step: Doorstep, kind: str, around: tuple[str, str]
) -> None:
    """Some readers give up at a depth where others do not: every depth is somebody's."""
    example = next(e for e in EXAMPLES[kind] if "order" in e.name.lower())
    opening, closing = around
    for depth in (90, 200, 240, 260, 330, 480, 600, 900, 990, 1100, 5000, 40_000):
        deep = opening * depth + "1" + closing * depth

        ends_well(step, kind, example.topic, deep.encode())
        ends_well(step, kind, example.topic, _with_a_member(example.body, deep))


def _with_a_member(body: bytes, value: str) -> bytes:
    return body.rstrip()[:-1] + f', "deep": {value}}}'.encode()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("value", ["", "\xff", "a" * 5000, "x/y", "0"])
def test_strange_headers_have_an_end_with_a_name(step: Doorstep, kind: str, value: str) -> None:
    example = EXAMPLES[kind][0]
    names = ["X-Shopify-Topic", "X-Shopify-Webhook-Id", "X-Shopify-Shop-Domain", "X-Pipe-Source"]

    for name in [*names, "X-Pipe-Message-Id", "square-initial-delivery-timestamp"]:
        answer = step.leave(kind, example.topic, example.body, {name: value})

        assert has_a_named_end(answer) == "", name
    step.drain()
    assert {state for _, state, _ in step.became()} <= STATES
