"""The API of operators and programs, and what the dashboard stands on: tokens, sessions, routes, one audit."""
