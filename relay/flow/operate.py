"""What may be done to a task after its create: edit a shot, compose, materialise a shot's video.

An edit and a compose cost money, so they go the way of a create: written down, sent once under a key of their own, held
when nobody knows. Which states allow them is checked here, because the provider has no clear word for "not now".
"""

from typing import Literal

from relay.contract import ACTIONABLE, Status
from relay.journal import TaskRow

Kind = Literal["edit", "compose"]

ALLOWED = frozenset({*ACTIONABLE, Status.SUCCEEDED})
"""States in which a shot may be edited or the video composed anew."""


class NotNow(Exception):
    """The task's state does not allow the operation; the message says which states do."""


def allow(task: TaskRow, kind: Kind) -> None:
    """Raises :class:`NotNow` unless ``task`` may be edited or composed now."""
    if task.workflow != "music-video":
        raise NotNow(f"task {task.id} is a {task.workflow}; only a music video has shots to {kind}")
    if task.status not in ALLOWED:
        states = ", ".join(sorted(ALLOWED))
        raise NotNow(f"task {task.id} is {task.status}; to {kind} it must be one of: {states}")
    if task.provider_id is None:
        raise NotNow(f"task {task.id} is not at the provider yet; try again when it is")
