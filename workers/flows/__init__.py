"""Use cases: plain functions that tasks, the command line and tests call alike; no Celery, no environment."""
