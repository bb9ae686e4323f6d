"""Square: counts shown and read back per location, orders and returns as facts, notifications."""
