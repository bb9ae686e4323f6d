"""Measurements that anyone can repeat; each prints JSON and a verdict."""
