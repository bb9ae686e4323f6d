"""Failed work: what is known of it, what may be done about it, and bulk work on it."""
