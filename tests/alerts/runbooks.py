"""Runbook pages as data: their sections, and the commands in them."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import click

from console.cli import cli

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "docs" / "runbooks"
SECTIONS = (
    "When you see this",
    "What it means for customers",
    "Stop the bleeding (5 minutes)",
    "Confirm",
    "Diagnose",
    "Fix",
    "Verify",
    "Escalate",
    "Last drilled",
)
#: What stands for each word in capitals where nothing else is said.
SAMPLES = {
    "CASE": "1",
    "CHANNEL": "shop",
    "SKU": "SKU-A",
    "LOCATION": "OSLO",
    "DELIVERY": "1",
    "DOCUMENT": "1",
    "INCIDENT": "inc-1",
    "PROGRAM": "SPRING",
    "SOURCE": "shop",
    "QUEUE": "ingest",
    "URI": "https://hooks.example.com/hooks/shopify",
    "UNITS": "5",
    "DATE": "2030-03-12",
    "REFERENCE": "PO-7",
    "RESPONSE": "refund",
    "NAME": "AUTUMN",
    "FILE": shlex.quote(str(ROOT / "README.md")),
}
_WORD = re.compile(r"(?<![A-Za-z])(" + "|".join(SAMPLES) + r")(?![A-Za-z])")


@dataclass(frozen=True, slots=True)
class Page:
    """A page: its first line, the line below, and the text of each section."""

    title: str
    about: str
    sections: Mapping[str, str]

    def commands(self, section: str) -> list[str]:
        """Commands of a section, blocks and table cells alike; a section by its first words."""
        (text,) = [said for name, said in self.sections.items() if name.startswith(section)]
        return commands_in(text)

    def steps(self, section: str) -> list[str]:
        """What is to be run in a section: the lines of its blocks."""
        (text,) = [said for name, said in self.sections.items() if name.startswith(section)]
        return [
            line
            for block in re.findall(r"```sh\n(.*?)```", text, re.S)
            for line in block.splitlines()
        ]


def read(file: Path) -> Page:
    """A page of the folder."""
    head, *rest = re.split(r"^## ", file.read_text(), flags=re.M)
    title, _, about = head.removeprefix("# ").partition("\n")
    parts = (part.partition("\n") for part in rest)
    return Page(
        title.strip(), about.strip(), {name.strip(): text.strip() for name, _, text in parts}
    )


def page_of(rule: str) -> Page:
    """The page of a rule."""
    return read(FOLDER / f"{re.sub('[._]', '-', rule)}.md")


def commands_in(text: str) -> list[str]:
    """Everything that begins with `lockstep `, in blocks and between backticks."""
    lines = re.findall(r"^lockstep .*$", text, re.M)
    return [*lines, *re.findall(r"`(lockstep [^`]+)`", text)]


def argv(command: str, **said: str) -> list[str]:
    """A command's arguments, its words in capitals replaced."""
    words = SAMPLES | said
    filled = _WORD.sub(lambda match: words[match[1]], command)
    return shlex.split(filled)[1:]


def wrong_with(command: str) -> str:
    """What keeps a command from being one of ours; "" when nothing does."""
    found: click.Command = cli
    context = click.Context(cli, info_name="lockstep")
    arguments = argv(command)
    while isinstance(found, click.Group):
        if not arguments:
            return "no command of its own"
        deeper = found.get_command(context, arguments[0])
        if deeper is None:
            return f"no command {arguments[0]!r}"
        found = deeper
        context = click.Context(found, info_name=arguments[0], parent=context)
        arguments = arguments[1:]
    # Between backticks a command is often named without what it needs.
    try:
        found.make_context(context.info_name, arguments, parent=context.parent)
    except click.ClickException as error:
        return error.format_message()
    return ""
