"""Physical counts: what is due when, how far a count may be off, and small losses found while they are small."""
