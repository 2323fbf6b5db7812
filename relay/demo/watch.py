"""Follows the demo's tasks, and checks at the end that what was promised truly happened."""

import asyncio
import hashlib
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
from msgspec import Struct

from relay.recipe.filters import filesize

from .catch import Catch


class Progress(Struct):
    """How far one song has come."""

    title: str
    task_id: str
    status: str = "queued"
    polls: int = 0
    learnt_by: str = ""
    """``webhook`` or ``poll``: what made the relay look when the video was done."""
    archived: str | None = None
    """The file, once it is whole on disk."""
    caught: int = 0
    deliveries: int = 0
    seconds: float = 0.0

    @property
    def complete(self) -> bool:
        return self.status == "succeeded" and self.archived is not None and self.caught == 1


async def watch(
    client: httpx.AsyncClient, catch: Catch, progress: list[Progress], patience: float, update: Callable[[], None]
) -> None:
    """Look until every song has been delivered, or patience ends."""
    end = time.monotonic() + patience
    while time.monotonic() < end:
        for one in progress:
            await _look(client, catch, one)
        update()
        if all(one.status == "failed" or (one.caught and one.deliveries >= 2) for one in progress):
            return
        await asyncio.sleep(0.25)


async def check(client: httpx.AsyncClient, catch: Catch, progress: list[Progress], media: Path) -> list[Progress]:
    """The same songs, with what can be proven: the file on disk has the size and sum that the journal says."""
    for one in progress:
        story = await _look(client, catch, one)
        one.archived = None
        for moment in story["moments"]:
            if moment["kind"] == "delivery.done" and moment["data"]["recipe"] == "archive":
                stored = moment["data"]["detail"]["media"][0]
                one.archived = _proven(media / one.task_id, stored["bytes"], stored["sha256"])
    return progress


async def _look(client: httpx.AsyncClient, catch: Catch, one: Progress) -> dict[str, Any]:
    answer = await client.get(f"/relay/v1/tasks/{one.task_id}")
    answer.raise_for_status()
    story: dict[str, Any] = answer.json()
    moments: list[dict[str, Any]] = story["moments"]
    one.status, one.polls = story["task"]["status"], story["polls"]
    one.caught = catch.caught(one.task_id)
    done = [moment for moment in moments if moment["kind"] == "delivery.done"]
    one.deliveries = len(done)
    one.seconds = moments[-1]["at"] - moments[0]["at"]
    for moment in moments:
        if moment["kind"] == "task.finished":
            one.learnt_by = moment["data"]["learnt_by"]
    if any(moment["data"]["recipe"] == "archive" for moment in done):
        one.archived = "yes"
    return story


def _proven(folder: Path, size: int, sha256: str) -> str | None:
    for file in folder.glob("*.mp4"):
        content = file.read_bytes()
        if len(content) == size and content[4:8] == b"ftyp" and hashlib.sha256(content).hexdigest() == sha256:
            return f"{file.name}, {filesize(size)}"
    return None
