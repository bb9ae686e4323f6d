"""Alerts: rules that are looked at, incidents that group what they find, and the doors that are told of them."""
