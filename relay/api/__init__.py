"""The HTTP face of the line: parse, call, answer. No decision is taken in here."""
