"""Places a finished video can go. Nothing in here imports ``relay``: a connector is a plug, not a room."""

from importlib.metadata import entry_points

from .base import Connector
from .email import Email
from .folder import Folder
from .google_drive import GoogleDrive
from .google_sheets import GoogleSheets
from .http import Http
from .s3 import S3
from .slack import Slack

GROUP = "beatrelay.connectors"


def discover() -> tuple[dict[str, Connector], list[str]]:
    """The connectors by name, ours and those of installed packages, and what is wrong with any of theirs.

    A package adds one by an entry point in the group ``beatrelay.connectors``. A broken one is left out and
    named; it never keeps the others from working.
    """
    ours = (Http, Folder, Email, GoogleDrive, GoogleSheets, S3, Slack)
    found: dict[str, Connector] = {kind.name: kind() for kind in ours}
    problems: list[str] = []
    for point in entry_points(group=GROUP):
        try:
            kind = point.load()
            found.setdefault(kind.name, _made(kind))
        except Exception as error:  # somebody else's package may fail in any way; ours must go on
            problems.append(f"connector {point.name} ({point.value}) cannot be used: {type(error).__name__}: {error}")
    return found, problems


def _made(kind: object) -> Connector:
    if not (isinstance(kind, type) and issubclass(kind, Connector)):
        raise TypeError("it is not a Connector")
    return kind()


__all__ = ["discover"]
