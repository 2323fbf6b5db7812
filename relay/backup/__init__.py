"""Copies of all that the relay remembers, taken while it serves; and how one is put back without paying twice."""
