"""beatrelay: a lightweight, self-hosted relay for Beat API."""

__version__ = "0.1.0"
