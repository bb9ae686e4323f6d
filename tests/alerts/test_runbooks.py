"""Every rule has a page, in one layout, and every command on it exists with its options."""

from __future__ import annotations

import re

import pytest

from reconcile import aftermath, lateness
from reconcile.counting import types
from tests.alerts import runbooks
from tests.alerts.runbooks import FOLDER, ROOT, SECTIONS, page_of
from workers.alerts.looks import LOOKS
from workers.alerts.rules import RULES, commands_of
from workers.flows import fit, held_watch, program_watch

PAGES = sorted(path for path in FOLDER.glob("*.md") if path.name != "README.md")


def test_every_rule_that_anybody_raises_is_described() -> None:
    raised = {
        *(fit.FIT, program_watch.PACE, program_watch.OVER, held_watch.BLOCKED),
        *(lateness.MISSED, lateness.OVERRUN, aftermath.WRONG, aftermath.QUARANTINE),
        *(types.VARIANCE, types.CUSUM, types.BAD),
        *LOOKS,
        "oversold.line",
    }
    # Whoever raises alarms anew comes here first, and then writes a page.
    raisers = {
        str(path.relative_to(ROOT))
        for room in ("allocation", "reconcile", "workers", "channels", "console")
        for path in (ROOT / room).rglob("*.py")
        if "raise_alarm(" in path.read_text()
    }

    assert raised == set(RULES)
    assert raisers <= {
        "allocation/alarms.py",
        "reconcile/aftermath.py",
        "reconcile/count_orders.py",
        "reconcile/lateness.py",
        "workers/flows/cases.py",
        "workers/flows/fit.py",
        "workers/flows/held_watch.py",
        "workers/flows/program_watch.py",
    }


def test_every_rule_has_a_page_and_every_page_a_rule() -> None:
    assert {rule.runbook for rule in RULES.values()} == {
        str(path.relative_to(ROOT)) for path in PAGES
    }


@pytest.mark.parametrize("rule", RULES)
def test_a_page_follows_the_layout(rule: str) -> None:
    page = page_of(rule)

    assert page.title == RULES[rule].title
    assert page.about.startswith(f"`{rule}` · ")
    assert RULES[rule].severity.value in page.about
    assert tuple(page.sections) == SECTIONS
    assert all(page.sections.values())


@pytest.mark.parametrize("rule", RULES)
def test_one_command_stops_the_bleeding(rule: str) -> None:
    assert len(page_of(rule).steps("Stop the bleeding")) == 1


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.stem)
def test_every_command_on_a_page_exists(path: object) -> None:
    text = (FOLDER / f"{path.stem}.md").read_text()  # type: ignore[attr-defined]  # a parameter is an object

    wrong = {
        command: problem
        for command in runbooks.commands_in(text)
        if (problem := runbooks.wrong_with(command)) and not _is_a_name(command, problem)
    }

    assert not wrong


def _is_a_name(command: str, problem: str) -> bool:
    """In running text a command may be named without what it needs, but not with an option that it does not have."""
    return "--" not in command and problem.startswith("Missing")


@pytest.mark.parametrize("rule", RULES)
def test_the_commands_of_an_alert_exist(rule: str) -> None:
    known = {
        name: runbooks.SAMPLES.get(name.upper(), "5")
        for name in ("case", "sku", "channel", "location", "document", "source", "queue")
    }

    said = commands_of(RULES[rule], known)

    assert len(said) == len(RULES[rule].next)
    assert not [problem for command in said if (problem := runbooks.wrong_with(command))]


@pytest.mark.parametrize("rule", RULES)
def test_the_drill_of_a_page_is_a_test(rule: str) -> None:
    said = page_of(rule).sections["Last drilled"]
    drill = re.search(r"`(tests/\S+\.py)::(test_\w+)`", said)

    assert re.match(r"20\d\d-\d\d-\d\d · ", said)
    assert drill is not None
    assert f"def {drill[2]}(" in (ROOT / drill[1]).read_text()


def test_the_index_names_every_page_by_its_title() -> None:
    index = (FOLDER / "README.md").read_text()
    linked = dict(re.findall(r"^\| ([^|]+) \| [^|]+ \| \[([\w-]+)\]\(", index, re.M))

    assert linked == {page_of(rule).title: re.sub("[._]", "-", rule) for rule in RULES}


def test_links_between_pages_lead_somewhere() -> None:
    lost = [
        f"{path.name}: {target}"
        for path in FOLDER.glob("*.md")
        for target in re.findall(r"\]\(([\w./-]+\.md)\)", path.read_text())
        if not (path.parent / target).exists()
    ]

    assert not lost
