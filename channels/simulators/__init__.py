"""Stateful fakes of the vendors, written from the vendors' documents and importing nothing of ours."""
