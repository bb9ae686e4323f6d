"""How pages say what people read."""

from __future__ import annotations

import pytest

from console.pages.words import said


@pytest.mark.parametrize(
    ("told", "shown"),
    [
        ("put it right, then `lockstep recon release`", "put it right, then <code>lockstep recon release</code>"),
        ("`a` or `<b>`", "<code>a</code> or <code>&lt;b&gt;</code>"),
        ("a lone ` and a <b>", "a lone ` and a &lt;b&gt;"),
        ("", ""),
    ],
)  # fmt: skip
def test_what_stands_in_backticks_is_something_to_copy(told: str, shown: str) -> None:
    assert said(told) == shown
