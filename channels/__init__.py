"""The world outside: one folder a vendor, behind one small port."""
