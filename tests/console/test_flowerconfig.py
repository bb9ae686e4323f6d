"""Flower shows which task ran about what, lets nobody change anything, and shows no payload."""

from __future__ import annotations

import json
import subprocess
import sys
from types import SimpleNamespace

import pytest

from console import flowerconfig

BODY = '{"email": "ann@buyer.example"}'


def shown(args: object, kwargs: object) -> tuple[str, str]:
    task = SimpleNamespace(name="workers.tasks.any", args=args, kwargs=kwargs)
    formatted = flowerconfig.format_task(task)
    return formatted.args, formatted.kwargs


def test_names_and_times_are_shown() -> None:
    said = "{'channel': 'shop', 'window_at': '2026-03-02T09:00:00+00:00'}"

    assert shown("()", said) == ("()", said)
    assert shown(None, None) == ("()", "{}")


@pytest.mark.parametrize(
    ("args", "kwargs"),
    [
        (f"('shop', {BODY!r})", "{}"),
        ("()", str({"channel": "shop", "body": BODY})),
        ("()", str({"channel": {"email": "ann@buyer.example"}})),
        ("()", f"{{'channel': 'shop', 'body': '{BODY[:25]}...'}}"),
        ("()", {"body": BODY}),
        ((BODY,), {}),
    ],
)
def test_whatever_else_is_an_argument_is_masked(args: object, kwargs: object) -> None:
    assert "buyer" not in str(shown(args, kwargs))
    assert "masked" in str(shown(args, kwargs))


def test_flower_reads_the_file_and_is_for_looking_only() -> None:
    program = (
        "import json, sys\nfrom flower.options import options\n"
        f"options.parse_config_file({flowerconfig.__file__!r})\n"
        "print(json.dumps([options.read_only, options.max_tasks, options.persistent,"
        " options.format_task.__name__]))"
    )

    answer = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )

    assert json.loads(answer.stdout) == [True, 10_000, False, "format_task"]
