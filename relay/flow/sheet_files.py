"""Files that a sheet names and a person hands over: each goes to the provider, and its link takes the place of its
path in the plan."""

from collections.abc import AsyncIterator, Iterable, Mapping
from pathlib import Path, PurePath
from typing import NamedTuple

import msgspec
from msgspec import Struct, field

from relay.contract import Data, UploadedFile
from relay.contract.files import ending_of
from relay.journal import BatchRow, Journal
from relay.providers import Provider

from .sheets import names_of, paths_of, with_links
from .uploads import Unfit, receive, spool


class Handed(NamedTuple):
    """A file as it comes."""

    name: str
    declared: str
    """The type that the browser says it has."""
    chunks: AsyncIterator[bytes]


class SheetFiles:
    """Takes the files of planned batches. They lie in ``folder`` only while they are on their way."""

    def __init__(self, journal: Journal, provider: Provider, folder: Path) -> None:
        self._journal = journal
        self._provider = provider
        self._folder = folder

    async def give(self, batch: BatchRow, files: Iterable[Handed]) -> tuple[int, list[str]]:
        """How many found their place, and what is wrong with the others, as sentences. A file finds its place by its
        name, whatever folder the sheet says."""
        rows = await self._journal.batches.rows(batch.id)
        named: dict[str, set[str]] = {}
        for path in paths_of(rows):
            named.setdefault(_base(path), set()).add(path)
        links, problems = dict[str, str](), list[str]()
        for file in files:
            try:
                path = _place(file.name, named)
                links[path] = await self._upload(file)
            except (_NoPlace, Unfit) as error:
                problems.append(f"{file.name[:80]}: {error}.")
        changed = [with_links(row, links) for row in rows if names_of(row) & links.keys()]
        if changed and not await self._journal.batches.amend(batch.id, changed):
            return 0, ["The batch was started meanwhile; its rows stay as they are."]
        return len(links), problems

    async def _upload(self, file: Handed) -> str:
        with spool(self._folder) as path:
            spooled = await receive(file.chunks, (file.declared, {}), path, await self._provider.file_rules())
            name = file.name or f"upload{ending_of(spooled.mime)}"
            answer = await self._provider.upload(path, name, spooled.mime)
        if answer.status >= 400:
            raise _NoPlace(_message(answer.body))
        return msgspec.json.decode(answer.body, type=Data[UploadedFile]).data.url


class _Error(Struct):
    message: str = "Beat API refused it"


class _Refusal(Struct):
    error: _Error = field(default_factory=_Error)


class _NoPlace(Exception):
    """A file that cannot be used."""


def _place(name: str, named: Mapping[str, set[str]]) -> str:
    paths = named.get(_base(name), set())
    if len(paths) != 1:
        raise _NoPlace("the sheet names one in several folders" if paths else "no row names it")
    return next(iter(paths))


def _base(path: str) -> str:
    return PurePath(path.replace("\\", "/")).name.casefold()


def _message(body: bytes) -> str:
    return msgspec.json.decode(body, type=_Refusal).error.message.rstrip(".")
