"""What the documents say is so: commands exist, links lead somewhere, settings are settings, tables are current."""

from __future__ import annotations

import re
import shlex
from functools import cache
from pathlib import Path

import pytest

from console.views import told
from tests.alerts import runbooks
from tests.browser.pictures import BYTES, PICTURES, WIDTH
from tests.browser.png import size_of
from workers.settings import Settings

ROOT = Path(__file__).resolve().parents[1]
PICTURES_FOLDER = ROOT / "docs" / "pictures"
ROOMS = ("ledger", "allocation", "channels", "reconcile", "workers", "console")
PAGES = [
    ROOT / "README.md",
    *(ROOT / name for name in ("CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md")),
    *sorted((ROOT / "docs").rglob("*.md")),
    *sorted(page for room in ROOMS for page in (ROOT / room).rglob("*.md")),
]
#: Pages whose commands are typed as they stand; what once was, and rooms among themselves, speak more freely.
FOR_OPERATORS = [
    page
    for page in PAGES
    if page.parent.name in ("docs", "runbooks") or page.name in ("README.md", "CONTRIBUTING.md")
]
#: What stands for words in capitals, beside those of runbooks.
SAMPLES = {
    "ID": "1", "EVENT": "01a22111-f734-7000-8aa4-2b60e3404398", "VERSION": "1", "PARTNER": "grocer", "PO": "4500000001",
    "SHOP": "shop", "ORDER": "1001", "TEAM": "stock", "RULE": "drift.open", "WORDS": "mug", "ROLE": "viewer",
    "N": "5", "SCORE": "500", "MISTAKE": "lost-inbox-row", "SEED": "7",
    "OPERATION": "01a22111-f734-7000-8aa4-2b60e3404398",
}  # fmt: skip
# Where a page speaks of a file that its reader makes, any file will do.
_SOME_FILE = re.compile(r"\S+\.(?:toml|csv|csv\.gz|edi|json)(?=\s|$)")
_NAMED = re.compile(r"(?<![\w<])LOCKSTEP_[A-Z0-9_]*[A-Z0-9](?![*_<])")
# Read by docker-compose.yml alone, or said of all of them.
_OF_COMPOSE = set(
    re.findall(r"\$\{(LOCKSTEP_\w+?)(?::|\})", (ROOT / "docker-compose.yml").read_text())
)


def name_of(page: Path) -> str:
    return str(page.relative_to(ROOT))


@cache
def text_of(page: Path) -> str:
    return page.read_text()


def commands(text: str) -> list[str]:
    """Commands of ours in blocks and between backticks, without what a shell makes of them."""
    lines = re.findall(r"^\s*(?:\$ )?(?:\.venv/bin/)?(lockstep .*)$", text, re.M)
    inline = re.findall(r"`(?:\.venv/bin/)?(lockstep [^`\n]+)`", text)
    return [_bare(command) for command in (*lines, *inline)]


def _bare(command: str) -> str:
    bare = re.split(r"\s+#\s|\s[>|]\s|\s{2,}#|\s>>", command)[0]
    # What may be left out must parse as well.
    bare = re.sub(r"[\[\]]|\.\.\.(?=\])", "", bare)
    for word, sample in SAMPLES.items():
        bare = re.sub(rf"(?<![A-Za-z=]){word}(?![A-Za-z])", sample, bare)
    return _SOME_FILE.sub(shlex.quote(str(ROOT / "README.md")), bare).strip()


def wrong_with(command: str) -> str:
    problem = runbooks.wrong_with(command)
    # In running text a command may be named without what it needs, but not with an option that it does not have.
    named = "--" not in command and problem.startswith("Missing")
    group = problem == "no command of its own" and len(command.split()) == 2
    # The rule file of the folder one stands in, which is not this one.
    default = "'lockstep.toml' does not exist" in problem
    return "" if named or group or default else problem


@pytest.mark.parametrize("page", FOR_OPERATORS, ids=name_of)
def test_every_command_of_a_document_exists(page: Path) -> None:
    wrong = {
        command: problem
        for command in commands(text_of(page))
        if command != "lockstep ..." and (problem := wrong_with(command))
    }

    assert wrong == {}


def test_the_documents_have_commands_to_try() -> None:
    assert len([command for page in FOR_OPERATORS for command in commands(text_of(page))]) > 300
    assert wrong_with("lockstep sku shwo TEE") == "no command 'shwo'"
    assert "--spell" in wrong_with("lockstep sku show TEE --spell")


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_link_of_a_document_leads_somewhere(page: Path) -> None:
    text = re.sub(r"```.*?```|`[^`]*`", "", text_of(page), flags=re.S)
    targets = re.findall(r"\]\(([^)\s]+)\)", text) + re.findall(r'(?:src|srcset)="([^"]+)"', text)

    lost = [target for target in targets if not leads_somewhere(page, target)]

    assert lost == []


def leads_somewhere(page: Path, target: str) -> bool:
    if re.match(r"(https?|mailto):", target):
        return True
    path, _, anchor = target.partition("#")
    file = (page.parent / path).resolve() if path else page
    if not file.exists():
        return False
    return not anchor or anchor in anchors(file)


@cache
def anchors(page: Path) -> set[str]:
    """Headings as a forge names them."""
    headings = re.findall(r"^#+ (.+)$", re.sub(r"```.*?```", "", text_of(page), flags=re.S), re.M)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_setting_that_a_document_names_is_one(page: Path) -> None:
    known = {told.variable(name) for name in Settings.model_fields} | _OF_COMPOSE

    assert {name for name in _NAMED.findall(text_of(page)) if name not in known} == set()


def test_the_table_of_settings_is_what_the_code_says() -> None:
    assert text_of(ROOT / "docs" / "settings.md") == told.page(), "make docs"


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_target_of_make_that_a_document_names_exists(page: Path) -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.M))

    named = set(re.findall(r"(?:^|`)\s*(?:\$ )?(?:time )?make ([a-z-]+)", text_of(page), re.M))

    assert named <= targets


def test_every_page_of_the_documentation_is_in_its_index() -> None:
    index = text_of(ROOT / "docs" / "README.md")
    pages = [
        name for path in sorted((ROOT / "docs").iterdir())
        if (name := path.name) not in ("README.md", "pictures")
    ]  # fmt: skip

    assert [name for name in pages if f"]({name}" not in index] == []


def test_every_picture_is_small_of_one_width_and_shown() -> None:
    said = "\n".join(text_of(page) for page in PAGES)
    files = sorted(PICTURES_FOLDER.glob("*.png"))

    assert {file.stem for file in files} == {picture.name for picture in PICTURES}
    assert {size_of(file.read_bytes())[0] for file in files} == {WIDTH}
    assert [file.name for file in files if file.stat().st_size > BYTES] == []
    assert [file.name for file in files if f"pictures/{file.name}" not in said] == []
