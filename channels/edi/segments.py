"""The words of X12: separators, segments, and the two ways in which one element can hold several values."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TypeAlias

from channels.edi.findings import NOWHERE, Position


class X12Error(Exception):
    """Every failure of the codec. Anything else that escapes from it is our mistake.

    X12Error
    +-- NotX12        there is no interchange in these bytes
    +-- Unreadable    a set lacks what its business reading cannot do without (`reading.py`)
    +-- Unwritable    a value or an envelope that X12 cannot carry
    """


class NotX12(X12Error):
    """There is no interchange in these bytes."""


class Unreadable(X12Error):
    """A set lacks what its business reading cannot do without; the message names segment and element."""


class Unwritable(X12Error):
    """A value or an envelope that X12 cannot carry; nothing is escaped, cut or replaced silently."""


@dataclass(frozen=True, slots=True)
class Separators:
    """The characters of one interchange, declared by its ISA.

    component     empty when the ISA declares none; such an interchange can be read, not written
    repetition    empty up to version 00401, where ISA11 means something else
    """

    element: str = "*"
    component: str = ":"
    segment: str = "~"
    repetition: str = ""

    @property
    def all(self) -> str:
        """Every character that a value must not hold."""
        return self.element + self.component + self.segment + self.repetition


@dataclass(frozen=True, slots=True)
class Composite:
    """Two or more components in one element; `by` is the separator they were read with."""

    components: tuple[str, ...]
    by: str = field(default=":", compare=False, repr=False)

    def __post_init__(self) -> None:
        if len(self.components) < 2:
            raise Unwritable(
                f"a composite has two components or more, not {self.components!r}: use a string"
            )

    def __str__(self) -> str:
        return self.by.join(self.components)


@dataclass(frozen=True, slots=True)
class Repeated:
    """Two or more values in one element (versions from 00402); `by` is the separator they were read with."""

    values: tuple[str | Composite, ...]
    by: str = field(default="^", compare=False, repr=False)

    def __post_init__(self) -> None:
        if len(self.values) < 2:
            raise Unwritable(
                f"a repetition has two values or more, not {self.values!r}: use a string"
            )

    def __str__(self) -> str:
        return self.by.join(map(str, self.values))


Element: TypeAlias = str | Composite | Repeated


@dataclass(frozen=True, slots=True)
class Segment:
    """A name and its elements; `at` is where it was read and takes no part in equality."""

    id: str
    elements: tuple[Element, ...] = ()
    at: Position = field(default=NOWHERE, compare=False, repr=False)

    def get(self, number: int) -> str:
        """The text of element `number` (from 1) without surrounding blanks; empty when it is not there.

        A composite or repeated element reads as it stood in the document.
        """
        if number > len(self.elements):
            return ""
        return str(self.elements[number - 1]).strip()

    def component(self, number: int, component: int) -> str:
        """One component of an element, both from 1; the first component of a simple element is the element."""
        if number > len(self.elements):
            return ""
        element = self.elements[number - 1]
        if isinstance(element, Repeated):
            element = element.values[0]
        parts = element.components if isinstance(element, Composite) else (element,)
        return parts[component - 1].strip() if component <= len(parts) else ""

    def pairs(self, start: int) -> Iterator[tuple[str, str]]:
        """(qualifier, value) from element `start` on, two by two; pairs without a value are left out."""
        for number in range(start, len(self.elements), 2):
            qualifier, value = self.get(number), self.get(number + 1)
            if value:
                yield qualifier, value

    def __str__(self) -> str:
        return "*".join((self.id, *map(str, self.elements)))


def segment(name: str, *elements: Element | None) -> Segment:
    """A segment to write: None is an empty element, and empty elements at the end are left out."""
    values = ["" if element is None else element for element in elements]
    while values and values[-1] == "":
        values.pop()
    return Segment(name, tuple(values))
