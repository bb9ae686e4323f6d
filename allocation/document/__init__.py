"""The rule file `lockstep.toml`: its shape, its reasons, what contradicts itself in it, and where.

`read` turns the text of a file into a `Document`, or raises `RuleFileError` with every problem found: file, line where
it is known, what is wrong and what to do. `Document.rules()` gives the words the engine works with. `read_stored` reads
what is in force already, and `remarks` says what is allowed and may not be meant.
"""

from allocation.document.reading import Problem, RuleFileError, read, read_stored, remarks
from allocation.document.tables import Document

__all__ = ["Document", "Problem", "RuleFileError", "read", "read_stored", "remarks"]
