"""The commands of ``beatrelay``, a module each. They speak to a running relay over its API, or to its files."""
