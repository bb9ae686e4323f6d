"""Doors for people and the outside: relay, command line, local stack, demo."""
