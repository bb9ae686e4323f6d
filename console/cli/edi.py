"""Wholesale documents on disk: what is in them, and what is wrong with them."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from channels.edi import envelope, reading
from channels.edi.envelope import Group, Interchange, Parsed, Transaction
from channels.edi.findings import Finding
from channels.edi.segments import NotX12, Segment, Unreadable
from channels.edi.validate import validate as judge
from console.cli import edi_trade
from console.cli.common import Failed, as_json

_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.group()
def edi() -> None:
    """Wholesale documents (X12): on disk, and with partners."""


for _command in (
    edi_trade.status,
    edi_trade.documents,
    edi_trade.exchange,
    edi_trade.ship,
    edi_trade.resend,
    edi_trade.retry,
    edi_trade.dismiss,
):
    edi.add_command(_command)


@edi.command()
@click.argument("file", type=_FILE)
@as_json
def parse(file: Path, as_json: bool) -> None:
    """Show envelopes, segments, what the sets say, and findings. 1: this is no X12."""
    parsed = _parsed(file)
    findings = judge(parsed)
    if as_json:
        click.echo(json.dumps(_as_json(parsed, findings), indent=1, default=str))
        return
    for line in _as_text(parsed):
        click.echo(line)
    for finding in findings:
        click.echo(str(finding))


@edi.command()
@click.argument("file", type=_FILE)
def validate(file: Path) -> None:
    """Say what is wrong, one finding a line. 0: no errors (there may be warnings), 1: no X12, 3: errors."""
    parsed = _parsed(file)
    findings = judge(parsed)
    for finding in findings:
        click.echo(str(finding))
    errors = sum(finding.is_error for finding in findings)
    sets = sum(1 for _ in parsed.transactions)
    click.echo(f"{file}: {sets} sets, {errors} errors, {len(findings) - errors} warnings", err=True)
    if errors:
        raise SystemExit(3)


def _parsed(file: Path) -> Parsed:
    try:
        return envelope.parse(file.read_bytes())
    except NotX12 as error:
        raise Failed(f"{file}: {error}") from None
    except OSError as error:
        raise Failed(f"{file} cannot be read: {error}") from None


def _as_text(parsed: Parsed) -> Iterator[str]:
    for interchange in parsed.interchanges:
        isa, marks = interchange.isa, interchange.separators
        yield f"interchange {isa.control} {isa.sender} > {isa.receiver} {isa.version} {marks.all!r}"
        for technical in interchange.technical:
            yield f"  {technical}"
        for group in interchange.groups:
            yield f"  group {group.kind} {group.control} {group.version}"
            for transaction in group.transactions:
                yield f"    set {transaction.set_id} {transaction.control}"
                yield from (f"      {segment}" for segment in transaction.segments)
    for segment in parsed.loose:
        yield f"loose {segment}"


def _as_json(parsed: Parsed, findings: tuple[Finding, ...]) -> dict[str, Any]:
    return {
        "interchanges": [_interchange(each) for each in parsed.interchanges],
        "loose": [_segment(segment) for segment in parsed.loose],
        "findings": [_finding(finding) for finding in findings],
    }


def _interchange(interchange: Interchange) -> dict[str, Any]:
    return {
        "isa": dataclasses.asdict(interchange.isa),
        "separators": dataclasses.asdict(interchange.separators),
        "technical": [_segment(segment) for segment in interchange.technical],
        "groups": [_group(group) for group in interchange.groups],
    }


def _group(group: Group) -> dict[str, Any]:
    return {
        "kind": group.kind,
        "control": group.control,
        "version": group.version,
        "sets": [_set(transaction) for transaction in group.transactions],
    }


def _set(transaction: Transaction) -> dict[str, Any]:
    shown: dict[str, Any] = {"set": transaction.set_id, "control": transaction.control}
    try:
        shown["document"] = dataclasses.asdict(reading.read(transaction))
    except Unreadable as error:
        shown["unreadable"] = str(error)
    return {**shown, "segments": [_segment(segment) for segment in transaction.segments]}


def _segment(segment: Segment) -> dict[str, Any]:
    return {
        "id": segment.id,
        "elements": [str(element) for element in segment.elements],
        "offset": segment.at.offset,
        "number": segment.at.number,
    }


def _finding(finding: Finding) -> dict[str, Any]:
    return {
        "code": finding.code,
        "severity": finding.kind.severity,
        "scope": finding.kind.scope,
        "acknowledged": finding.kind.acknowledged,
        "message": finding.message,
        "bad": finding.bad,
        **dataclasses.asdict(finding.at),
    }
