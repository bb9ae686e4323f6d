"""The house rules that no other tool checks, over every file of the repository."""

from __future__ import annotations

import ast
import re
import subprocess
from functools import cache
from pathlib import Path

from workers.settings import Settings

ROOT = Path(__file__).resolve().parent.parent
LINES_OF_A_FILE = 400
LINES_OF_A_FUNCTION = 60
NOT_OURS = {
    ".venv",
    ".venv-referees",
    ".venv-audit",
    ".venv-guided",
    ".venv-forecasters",
    ".lockstep",
    ".git",
    "__pycache__",
    "dist",
}

# Written in pieces, so that this file passes its own test.
REGISTRY_HOSTS = [
    f"{name}.{end}" for name, end in (("pypi", "org"), ("pythonhosted", "org"), ("npmjs", "org"))
]
MACHINE_PATH = re.compile("/" + r"(?:work|root|home/[a-z][\w-]*|Users/\w+)/")


def files() -> list[Path]:
    """What git knows of, new files included; every file when this is no repository."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    if listed.returncode == 0 and listed.stdout:
        found = [ROOT / name for name in listed.stdout.split("\0") if name]
    else:
        found = [
            path for path in ROOT.rglob("*") if not NOT_OURS & set(path.relative_to(ROOT).parts)
        ]
    return sorted(path for path in found if path.is_file())


def python_files() -> list[Path]:
    return [path for path in files() if path.suffix == ".py"]


def named(path: Path) -> str:
    return str(path.relative_to(ROOT))


def text_of(path: Path) -> str:
    try:
        return path.read_text()
    except UnicodeDecodeError:
        return ""


@cache
def functions(path: Path) -> list[ast.FunctionDef | ast.AsyncFunctionDef]:
    return [
        node
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    ]


def test_no_file_is_longer_than_can_be_read_in_one_sitting() -> None:
    long = {
        named(path): lines
        for path in python_files()
        if (lines := len(path.read_text().splitlines())) > LINES_OF_A_FILE
    }

    assert not long


def test_no_function_is_longer_than_a_page() -> None:
    long = {
        f"{named(path)}:{function.name}": lines
        for path in python_files()
        for function in functions(path)
        if (lines := (function.end_lineno or 0) - function.lineno + 1) > LINES_OF_A_FUNCTION
    }

    assert not long


def test_every_ignored_type_error_has_a_code_and_a_reason() -> None:
    mark = "type" + ": ignore"
    bare = [
        f"{named(path)}:{number}"
        for path in python_files()
        for number, line in enumerate(path.read_text().splitlines(), 1)
        if mark in line and not re.search(mark + r"\[[\w, -]+\]\s+# \S+ \S+", line)
    ]

    assert not bare


def test_tests_are_no_packages() -> None:
    assert not [named(path) for path in (ROOT / "tests").rglob("__init__.py")]


def test_nothing_is_patched() -> None:
    patched = [
        f"{named(path)}:{function.name}"
        for path in python_files()
        for function in functions(path)
        if "monkey" + "patch" in [argument.arg for argument in function.args.args]
    ]
    mocked = [
        named(path)
        for path in python_files()
        if re.search(r"^\s*(from|import) unittest(\.| import )mock", path.read_text(), re.M)
    ]

    assert not patched + mocked


def test_every_setting_is_described() -> None:
    bare = [name for name, field in Settings.model_fields.items() if not field.description]

    assert not bare


def test_every_setting_has_a_row_in_the_documentation() -> None:
    text = (ROOT / "docs" / "settings.md").read_text()

    missing = [name for name in Settings.model_fields if f"LOCKSTEP_{name.upper()}`" not in text]

    assert not missing


def test_no_file_names_a_machine_or_a_registry() -> None:
    strangers = [
        f"{named(path)}: {found}"
        for path in files()
        for found in [
            *MACHINE_PATH.findall(text_of(path)),
            *(host for host in REGISTRY_HOSTS if host in text_of(path)),
        ]
    ]

    assert not strangers


def test_every_room_says_what_it_is() -> None:
    rooms = ("console", "workers", "reconcile", "allocation", "channels", "ledger")

    silent = [
        room
        for room in rooms
        if not ast.get_docstring(ast.parse((ROOT / room / "__init__.py").read_text()))
    ]

    assert not silent
