"""Folders of Google Drive, made as needed and not twice."""

from typing import Any

from .base import Notes, Reject, Retry
from .google_api import GoogleApi

FOLDER = "application/vnd.google-apps.folder"
DEEPEST = 20
KNOWN = 1000
"""Folders remembered at most; the oldest goes first."""
_FIELDS = "id,name,mimeType,trashed,driveId,parents,capabilities/canAddChildren"


async def folder_info(api: GoogleApi, id: str) -> dict[str, Any]:
    """A folder that people named. Raises :class:`Reject` if files cannot go there."""
    answer = await api.call("GET", f"/drive/v3/files/{id}", query={"fields": _FIELDS, "supportsAllDrives": "true"})
    if not answer.ok:
        who = api.account.who or "the account"
        todo = (
            f"open the folder in Google Drive, compare its id, and share it with {who}. With the scope drive.file only"
            " folders that this app made can be used: leave `folder` empty, or consent with the scope drive"
        )
        answer.fail(f"opening the connection's folder {id}", api.account.now(), todo)
    folder = answer.body
    if folder.get("mimeType") != FOLDER:
        raise Reject(f"the connection's `folder` {folder.get('name')!r} is a {folder.get('mimeType')}, not a folder")
    if folder.get("trashed"):
        raise Reject(
            f"the connection's `folder` {folder.get('name')!r} is in the trash; restore it or name another one"
        )
    return folder


async def new_id(api: GoogleApi) -> str:
    """An id that Drive will accept once."""
    query = {"count": 1, "space": "drive", "fields": "ids"}
    return (await api.get("/drive/v3/files/generateIds", "asking Drive for an id", **query))["ids"][0]


class Folders:
    """Finds a path of folders, the oldest of each name, and makes what is missing.

    Drive lets two folders share a name and its search lags behind, so: one at a time within this process, what we
    made is remembered and asked for by id, and the id of a new folder is noted before it is used.
    """

    def __init__(self) -> None:
        self._known: dict[tuple[str, str, str], str] = {}

    async def ensure(self, api: GoogleApi, root: str, path: str, notes: Notes) -> str:
        """The id of the folder at ``path`` below ``root``."""
        names = [name.strip() for name in path.split("/") if name.strip()]
        if len(names) > DEEPEST or any(name in (".", "..") for name in names):
            raise Reject(
                f"`folder` is {path[:200]!r}; it must be at most {DEEPEST} names with / between, none of them . or .."
            )
        drive = (await folder_info(api, root)).get("driveId", "") if root != "root" and names else ""
        parent = root
        for name in names:
            async with api.account.folders:
                parent = await self._step(api, drive, parent, name, notes)
        return parent

    async def _step(self, api: GoogleApi, drive: str, parent: str, name: str, notes: Notes) -> str:
        place = (api.account.id, parent, name)
        noted = await notes.get(f"folder {parent}/{name}")
        for known in filter(None, (self._known.get(place), noted)):
            if await _alive(api, known):
                return self._remember(place, known)
        found = await _find(api, drive, parent, name)
        if found:
            return self._remember(place, found)
        noted = noted or await self._note(api, parent, name, notes)
        return self._remember(place, await self._make(api, parent, name, noted, notes))

    async def _note(self, api: GoogleApi, parent: str, name: str, notes: Notes) -> str:
        made = await new_id(api)
        await notes.put(f"folder {parent}/{name}", made)
        return made

    async def _make(self, api: GoogleApi, parent: str, name: str, id: str, notes: Notes) -> str:
        body = {
            "id": id,
            "name": name,
            "mimeType": FOLDER,
            "parents": [parent],
            "appProperties": {"beatrelay": "folder"},
        }
        query = {"supportsAllDrives": "true", "fields": "id"}
        answer = await api.call("POST", "/drive/v3/files", query=query, body=body)
        if answer.ok:
            return id
        if answer.status == 409 and await _alive(api, id):
            return id
        if answer.status == 409:
            await self._note(api, parent, name, notes)
            raise Retry(f"the folder {name!r} was deleted in Drive; it is made anew with the next attempt")
        return answer.fail(f"making the folder {name!r}", api.account.now())

    def _remember(self, place: tuple[str, str, str], id: str) -> str:
        self._known.pop(place, None)
        self._known[place] = id
        while len(self._known) > KNOWN:
            del self._known[next(iter(self._known))]
        return id


async def _alive(api: GoogleApi, id: str) -> bool:
    answer = await api.call("GET", f"/drive/v3/files/{id}", query={"fields": "id,trashed", "supportsAllDrives": "true"})
    if not answer.ok and answer.status != 404:
        answer.fail("looking for a folder", api.account.now())
    return answer.ok and not answer.body.get("trashed")


async def _find(api: GoogleApi, drive: str, parent: str, name: str) -> str | None:
    """Also one that a person made. Of several the oldest, so that all who look agree."""
    quoted = name.replace("\\", "\\\\").replace("'", "\\'")
    query: dict[str, Any] = {
        "q": f"name = '{quoted}' and '{parent}' in parents and mimeType = '{FOLDER}' and trashed = false",
        "orderBy": "createdTime",
        "pageSize": 10,
        "fields": "files(id,name)",
        "supportsAllDrives": "true",
        "includeItemsFromAllDrives": "true",
    }
    if drive:
        query |= {"corpora": "drive", "driveId": drive}
    found = await api.get("/drive/v3/files", f"looking for the folder {name!r}", **query)
    return next((file["id"] for file in found.get("files", []) if file["name"] == name), None)
