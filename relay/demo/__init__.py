"""``beatrelay demo``: the whole line on this machine, without any account."""

from .command import demo

__all__ = ["demo"]
