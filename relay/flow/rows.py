"""How a row is known again: who asks, within what, by which key; and which of its tasks counts."""

from collections.abc import Sequence

from relay.journal import Known


def identity_of(client: str, scope: str, key: str) -> str:
    """Ids belong to a ``scope``, such as one file (every sheet has a row 1); content is the same wherever it stands."""
    return f"{client}/{scope if key.startswith('id:') else ''}/{key}"


def latest(known: Sequence[Known], version: str) -> Known | None:
    """The last task of the very content, counting later tries (``version#2``) of it."""
    same = [one for one in known if content_of(one.version) == version]
    return same[-1] if same else None


def next_try(known: Sequence[Known], version: str) -> str:
    """The version under which the same content is asked for once more."""
    return f"{version}#{sum(1 for one in known if content_of(one.version) == version) + 1}"


def content_of(version: str) -> str:
    """A version without the number of its try."""
    return version.partition("#")[0]
