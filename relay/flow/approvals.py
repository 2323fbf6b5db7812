"""Links by which somebody decides on a storyboard without signing in.

A link is signed, not stored: it names a task, the finish that it is about and when it ends. So a recipe gets the same
link at every attempt, and it is over as soon as anything was changed since that finish, whoever did it.
"""

import base64
import binascii
import hashlib
import hmac
import secrets

from msgspec import Struct

from relay.clock import Clock
from relay.contract import ACTIONABLE
from relay.journal import Journal, Operation, TaskRow
from relay.vault import Vault

from .notes import JournalNotes

DAYS = 7
"""How long a link lasts."""
PREFIX = "apv_"
"""What a link's token begins with; such words are blanked in records and logs."""
_MAC = 32
_UNDONE = frozenset({"refused", "cancelled"})


class LinkOver(Exception):
    """The link opens nothing; the message is a sentence for whoever follows it."""


class Approval(Struct, frozen=True):
    """What a link allows: one change to the storyboard of a task, as it is since one finish."""

    task_id: str
    revision: int
    expires_at: int


class Invited(Struct, frozen=True):
    """Whom a link lets in, and to what."""

    task: TaskRow
    approval: Approval
    key: str
    """The client key of the one change: twice the same is once."""


class Approvals:
    """Makes such links and follows them. ``url`` is where the relay's pages are."""

    def __init__(self, journal: Journal, clock: Clock, vault: Vault, url: str) -> None:
        self._journal = journal
        self._clock = clock
        self._notes = JournalNotes(journal, clock, vault, "relay")
        self._url = url
        self._key = b""

    async def start(self) -> None:
        """Know the key that signs, which is made once and kept sealed."""
        known = await self._notes.get("approvals")
        if known is None:
            known = secrets.token_hex(32)
            await self._notes.put("approvals", known)
        self._key = bytes.fromhex(known)

    def link(self, task_id: str, revision: int, at: float) -> str:
        """The address of the page, good for a week from ``at``."""
        return f"{self._url}/approve/{self.token(Approval(task_id, revision, int(at) + DAYS * 86400))}"

    def token(self, approval: Approval) -> str:
        """``apv_`` and what it allows, with its signature."""
        text = f"{approval.task_id} {approval.revision} {approval.expires_at}".encode()
        return PREFIX + base64.urlsafe_b64encode(self._sign(text) + text).decode().rstrip("=")

    async def follow(self, link: str) -> Invited:
        """Where a link (or its token) leads now. Raises :class:`LinkOver`."""
        approval = self._read(link.rpartition("/")[2])
        task = await self._journal.tasks.get(approval.task_id)
        if self._clock.now() >= approval.expires_at or task is None:
            raise LinkOver("This link has expired. Ask for a new one.")
        since = await self._since(approval)
        if task.revision == approval.revision and task.status not in ACTIONABLE and not since:
            raise LinkOver(f"This storyboard waits for nobody any more: it is {task.status}.")
        changes = [operation for operation in since if operation.state not in _UNDONE]
        if changes or task.revision != approval.revision:
            raise LinkOver(f"This link was for one change, and {_what(changes)} since.")
        return Invited(task, approval, f"approval:{approval.task_id}:{approval.revision}:{len(since)}")

    async def _since(self, approval: Approval) -> list[Operation]:
        """What was asked of the task since the finish that the link is about."""
        finishes = await self._journal.tasks.finishes(approval.task_id)
        at = next((finish.at for finish in finishes if finish.revision == approval.revision), 0.0)
        operations = await self._journal.tasks.operations(approval.task_id)
        return [one for one in operations if one.kind != "create" and one.created_at >= at]

    def _read(self, token: str) -> Approval:
        try:
            raw = base64.urlsafe_b64decode(token.removeprefix(PREFIX) + "==")
            mac, text = raw[:_MAC], raw[_MAC:]
            if not self._key or not hmac.compare_digest(mac, self._sign(text)):
                raise _unknown()
            task_id, revision, expires_at = text.decode().split(" ")
            return Approval(task_id, int(revision), int(expires_at))
        except (binascii.Error, ValueError) as error:
            raise _unknown() from error

    def _sign(self, text: bytes) -> bytes:
        return hmac.new(self._key, b"approval " + text, hashlib.sha256).digest()


def _unknown() -> LinkOver:
    return LinkOver("This link is not one of ours: it was cut off or changed on its way.")


def _what(changes: list[Operation]) -> str:
    if not changes:
        return "the storyboard has changed"
    return "the video was composed" if changes[-1].kind == "compose" else "a shot was changed"
