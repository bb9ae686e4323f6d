"""UUIDs of version 7: they sort by the time they were made, so the index of events grows at its end."""

from __future__ import annotations

from uuid import UUID


def uuid7s(unix_ms: int, randomness: bytes) -> list[UUID]:
    """As many ascending UUIDv7 as `randomness` has groups of 8 bytes, at most 4096.

    unix_ms   milliseconds since 1970; RFC 9562 section 5.7, the 12 bits of rand_a count within the batch (method 1)
    """
    made = []
    for count in range(len(randomness) // 8):
        if count > 0xFFF:
            raise ValueError("at most 4096 ids of one millisecond; ask again for more")
        rand_b = int.from_bytes(randomness[count * 8 : count * 8 + 8], "big") & ((1 << 62) - 1)
        made.append(UUID(int=(unix_ms << 80) | (0x7 << 76) | (count << 64) | (0b10 << 62) | rand_b))
    return made
