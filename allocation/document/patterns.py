"""Which SKUs the patterns of a file tell apart: every set of patterns that some SKU fits together, with such a SKU.

All patterns are followed at once, as one automaton whose state is the set of places reached in them (Thompson 1968,
"Regular expression search algorithm", CACM 11(6)); a state is one whole number with a bit for each place. The states
that can be reached are few where patterns begin with words, as they mostly do, and many where each is `*word*`.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

#: Stands for all letters that no pattern names; no name has it.
_OTHER = "\0"
_STATES = 20_000


class TooMany(ValueError):
    """The patterns overlap in more ways than can be looked at."""


@dataclass(frozen=True, slots=True)
class Automaton:
    """Patterns, followed letter by letter.

    first      the state before any letter
    stars      places that stay, whatever the letter;  letters  letter -> places that it moves on from
    ends       last place of a pattern -> the pattern
    """

    first: int
    stars: int
    letters: Mapping[str, int]
    ends: Mapping[int, str]

    def step(self, state: int, letter: str) -> int:
        """The state after one letter more."""
        return self._rested((state & self.letters.get(letter, 0)) << 1 | (state & self.stars))

    def _rested(self, state: int) -> int:
        return state | (state & self.stars) << 1

    def fitting(self, sku: str) -> frozenset[str]:
        """The patterns that fit a SKU."""
        state = self.first
        for letter in sku:
            state = self.step(state, letter)
        return self.ended(state)

    def ended(self, state: int) -> frozenset[str]:
        """The patterns that fit what led to a state."""
        return frozenset(pattern for end, pattern in self.ends.items() if state & end)


def automaton(patterns: Iterable[str]) -> Automaton:
    """The automaton of these patterns, in which `*` stands for any run of letters."""
    place, first, stars = 1, 0, 0
    letters: dict[str, int] = {}
    ends: dict[int, str] = {}
    for pattern in patterns:
        first |= place
        for letter in _short(pattern):
            if letter == "*":
                stars |= place
            else:
                letters[letter] = letters.get(letter, 0) | place
            place <<= 1
        ends[place] = pattern
        place <<= 1
    return Automaton(first | (first & stars) << 1, stars, letters, ends)


def _short(pattern: str) -> str:
    """The pattern with one star for several in a row, which mean the same."""
    while "**" in pattern:
        pattern = pattern.replace("**", "*")
    return pattern


def kinds(patterns: Iterable[str]) -> dict[frozenset[str], str]:
    """Every set of patterns that some SKU fits, and no others with them -> such a SKU; the empty set is one of them.

    raises    TooMany
    """
    machine = automaton(patterns)
    found: dict[frozenset[str], str] = {}
    for state, sku in _reached(machine):
        if sku:
            found.setdefault(machine.ended(state), sku)
    return found


def _reached(machine: Automaton) -> Iterator[tuple[int, str]]:
    """Every state that a SKU can lead to, with the shortest that does; the first state once more, by its letters."""
    letters = (_OTHER, *machine.letters)
    seen: set[int] = set()
    waiting = deque([(machine.first, "")])
    while waiting:
        state, sku = waiting.popleft()
        yield state, sku
        for letter in letters:
            after = machine.step(state, letter)
            if after not in seen:
                if len(seen) == _STATES:
                    raise TooMany
                seen.add(after)
                waiting.append((after, sku + letter))


def covers(wide: str, narrow: str) -> bool:
    """Whether every SKU that fits `narrow` fits `wide` too."""
    try:
        return all(wide in fits for fits in kinds({wide, narrow}) if narrow in fits)
    except TooMany:
        return False
