"""Google Drive v3, as far as the connector needs it: strict, from Google's documentation and discovery document.

Stricter than the real one where that finds mistakes: unknown names in a body, a gap between pieces, a session that
is asked for with the wrong total.
"""

import hashlib
import re
from dataclasses import dataclass, field
from typing import Any

from .google_wire import ROBOT, Call, GoogleFake, Refused, Reply

UNIT = 256 * 1024
FOLDER = "application/vnd.google-apps.folder"
LARGE = 64 << 20
"""Bytes of a file that is not copied once it is whole."""
_TERM = re.compile(
    r"(?P<field>name|mimeType) = '(?P<value>(?:[^'\\]|\\.)*)'"
    r"|'(?P<parent>[^']+)' in parents|trashed = (?P<trashed>false|true)"
)


@dataclass
class Session:
    metadata: dict[str, Any]
    total: int
    fields: str
    data: bytearray = field(default_factory=bytearray)
    file: str | None = None
    expired: bool = False


class DriveFake(GoogleFake):
    """One account, its My Drive (``root``), and what it is a member of."""

    api = ("drive", "v3")

    def __init__(self) -> None:
        super().__init__()
        self.files: dict[str, dict[str, Any]] = {}
        self.contents: dict[str, bytes | bytearray] = {}
        self.sessions: dict[str, Session] = {}
        self.reserved: set[str] = set()
        self.hidden: set[str] = set()
        """Ids that the search does not find yet."""
        self.permissions: dict[str, list[dict[str, Any]]] = {}
        self.quota = {"limit": "16106127360", "usage": "0"}
        self.checksums = True
        self.may_delete = True
        self.add_folder("root", "My Drive")

    def add_folder(
        self, file: str, name: str, *, parent: str | None = None, drive: str | None = None, **more: Any
    ) -> None:
        """A folder that is there before anybody comes; ``drive`` is the shared drive it is on."""
        self._put({"id": file, "name": name, "mimeType": FOLDER, "parents": [parent] if parent else [], **more}, drive)

    @property
    def videos(self) -> list[dict[str, Any]]:
        """All files that are no folders and not in the trash."""
        return [file for file in self.files.values() if file["mimeType"] != FOLDER and not file["trashed"]]

    @property
    def folders(self) -> list[str]:
        """Names of the folders that were made."""
        return [file["name"] for file in self.files.values() if "appProperties" in file and file["mimeType"] == FOLDER]

    def _put(self, metadata: dict[str, Any], drive: str | None = None) -> dict[str, Any]:
        file = {"kind": "drive#file", "trashed": False, "createdTime": self.count(), **metadata}
        file["capabilities"] = {"canAddChildren": file["mimeType"] == FOLDER, **metadata.get("capabilities", {})}
        file["webViewLink"] = f"https://drive.google.com/file/d/{file['id']}/view"
        if drive:
            file["driveId"] = drive
        self.files[file["id"]] = file
        return file

    def name(self, verb: str, path: str, headers: dict[str, str], method: dict[str, Any] | None) -> str:
        if not path.startswith("/upload/"):
            return super().name(verb, path, headers, method)
        if verb == "PUT":
            return "upload.ask" if headers.get("content-range", "").startswith("bytes */") else "upload.piece"
        return "upload.begin"

    def _do(self, call: Call, method: dict[str, Any] | None) -> Reply:
        if call.operation in ("upload.ask", "upload.piece"):
            self._planned(call)
            return self._receive(call)
        return super()._do(call, method)

    # --------------------------------------------------------------------------------------------------------- files

    def on_about_get(self, call: Call) -> Reply:
        if "fields" not in call.query:
            raise Refused(400, "required", "The 'fields' parameter is required for this method.")
        return Reply(body={"user": {"emailAddress": ROBOT}, "storageQuota": self.quota})

    def on_files_generate_ids(self, call: Call) -> Reply:
        ids = [f"id{self.count():08d}" for _ in range(int(call.query.get("count", "10")))]
        self.reserved.update(ids)
        return Reply(body={"kind": "drive#generatedIds", "space": "drive", "ids": ids})

    def on_files_get(self, call: Call) -> Reply:
        return Reply(body=self._masked(self._known(call, call.names["fileId"]), call.query.get("fields", "")))

    def on_files_create(self, call: Call) -> Reply:
        drive = self._may_create(call, call.body)
        metadata = {"id": f"auto{self.count():08d}", "mimeType": "application/octet-stream", **call.body}
        return Reply(body=self._masked(self._put(metadata, drive), call.query.get("fields", "")))

    def on_files_update(self, call: Call) -> Reply:
        file = self._known(call, call.names["fileId"])
        file.update(call.body)
        return Reply(body=self._masked(file, ""))

    def on_files_delete(self, call: Call) -> Reply:
        self._known(call, call.names["fileId"])
        if not self.may_delete:
            raise Refused(403, "insufficientFilePermissions")
        self.contents.pop(call.names["fileId"], None)
        del self.files[call.names["fileId"]]
        return Reply(204)

    def on_files_list(self, call: Call) -> Reply:
        query, terms, at = call.query.get("q", ""), list[re.Match[str]](), 0
        while at < len(query):
            term = _TERM.match(query, at)
            if term is None:
                raise Refused(400, "invalid", f"Invalid Value for q at {at}: {query}")
            terms.append(term)
            at = term.end()
            if query[at:]:
                if not query.startswith(" and ", at):
                    raise Refused(400, "invalid", f"Invalid Value for q at {at}: {query}")
                at += 5
        drive = call.query.get("driveId")
        if drive and (call.query.get("corpora") != "drive" or call.query.get("includeItemsFromAllDrives") != "true"):
            raise Refused(403, "teamDrivesParameterRequired")
        found = [
            file
            for file in self.files.values()
            if file.get("driveId") == drive
            and file["id"] not in self.hidden
            and all(self._matches(file, term) for term in terms)
        ]
        if call.query.get("orderBy") == "createdTime":
            found.sort(key=lambda file: file["createdTime"])
        inner = re.fullmatch(r"files\((.*)\)", call.query.get("fields", "files(kind,id,name,mimeType)"))
        assert inner, "the fake understands fields=files(…) only"
        return Reply(body={"files": [self._masked(file, inner[1]) for file in found]})

    def _matches(self, file: dict[str, Any], term: re.Match[str]) -> bool:
        if term["field"]:
            return file[term["field"]] == re.sub(r"\\(.)", r"\1", term["value"])
        if term["parent"]:
            return term["parent"] in file["parents"]
        return file["trashed"] == (term["trashed"] == "true")

    def on_permissions_create(self, call: Call) -> Reply:
        self._known(call, call.names["fileId"])
        if call.body["type"] not in ("user", "group") and "sendNotificationEmail" in call.query:
            raise Refused(400, "invalidSharingRequest")
        given = self.permissions.setdefault(call.names["fileId"], [])
        if call.body not in given:
            given.append(call.body)
        return Reply(body={"id": call.body["type"]})

    # ------------------------------------------------------------------------------------------------------- uploads

    def on_upload_begin(self, call: Call) -> Reply:
        if call.query.get("uploadType") != "resumable":
            raise Refused(400, "badRequest", "the fake takes resumable uploads only")
        self._may_create(call, call.body)
        total = int(call.headers["x-upload-content-length"])
        name = f"AEnB{self.count():06d}"
        metadata = {"mimeType": call.headers["x-upload-content-type"], **call.body}
        self.sessions[name] = Session(metadata, total, call.query.get("fields", ""))
        host = call.headers["host"]
        return Reply(headers={"location": f"http://{host}/upload/drive/v3/files?uploadType=resumable&upload_id={name}"})

    def _receive(self, call: Call) -> Reply:
        session = self.sessions.get(call.query.get("upload_id", ""))
        if session is None or session.expired:
            raise Refused(404, "notFound", "Upload session not found")
        if session.file:
            return Reply(200, self._masked(self.files[session.file], session.fields))
        span = re.fullmatch(r"bytes (?:\*|(\d+)-(\d+))/(\d+)", call.headers.get("content-range", ""))
        if not span or int(span[3]) != session.total:
            raise Refused(400, "invalidContentRange")
        if span[1] is not None:
            self._store(call, session, int(span[1]), int(span[2]))
        if len(session.data) == session.total:
            return Reply(200, self._finish(call, session))
        stored = {"range": f"bytes=0-{len(session.data) - 1}"} if session.data else {}
        return Reply(308, headers=stored)

    def _store(self, call: Call, session: Session, start: int, end: int) -> None:
        data = call.raw
        if start != len(session.data):
            raise Refused(400, "invalidContentRange", f"{len(session.data)} bytes are stored, {start} was sent")
        if not call.broken and len(data) != end - start + 1:
            raise Refused(400, "invalidContentLength")
        if end + 1 < session.total and (end - start + 1) % UNIT:
            raise Refused(400, "invalidChunkSize", "a piece must be a multiple of 256 KiB")
        keep = call.fault.keep if call.fault.keep is not None else len(data)
        if call.broken or call.fault.keep is not None:
            keep = keep // UNIT * UNIT
        session.data += data[:keep]

    def _finish(self, call: Call, session: Session) -> dict[str, Any]:
        if session.metadata.get("id") in self.files:
            raise Refused(409, "fileIdInUse", "A file already exists with the provided ID.")
        data = session.data
        if call.fault.damage:
            data[0] ^= 0xFF
        drive = self.files[session.metadata.get("parents", ["root"])[0]].get("driveId")
        file = self._put({"id": f"auto{self.count():08d}", "parents": ["root"], **session.metadata}, drive)
        file["size"] = str(len(data))
        file["webContentLink"] = f"https://drive.google.com/uc?id={file['id']}&export=download"
        file["md5Checksum"] = hashlib.md5(data).hexdigest()
        if self.checksums:
            file["sha256Checksum"] = hashlib.sha256(data).hexdigest()
        self.contents[file["id"]] = data if len(data) > LARGE else bytes(data)
        session.file = file["id"]
        return self._masked(file, session.fields)

    # --------------------------------------------------------------------------------------------------------- rules

    def _may_create(self, call: Call, metadata: dict[str, Any]) -> str | None:
        parents = metadata.get("parents", ["root"])
        if len(parents) != 1:
            raise Refused(403, "multiParentNotSupported")
        folder = self._known(call, parents[0])
        wanted = metadata.get("id")
        if wanted in self.files:
            raise Refused(409, "fileIdInUse", "A file already exists with the provided ID.")
        if wanted is not None and wanted not in self.reserved:
            raise Refused(400, "invalid", "The provided file ID is not usable.")
        if any(len((name + value).encode()) > 124 for name, value in metadata.get("appProperties", {}).items()):
            raise Refused(403, "propertyTooLong")
        if self.robot and "driveId" not in folder:
            says = (
                "Service Accounts do not have storage quota. Leverage shared drives, or use OAuth delegation instead."
            )
            raise Refused(403, "storageQuotaExceeded", says)
        return folder.get("driveId")

    def _known(self, call: Call, file: str) -> dict[str, Any]:
        known = self.files.get(file)
        if known is None or ("driveId" in known and call.query.get("supportsAllDrives") != "true"):
            raise Refused(404, "notFound", f"File not found: {file}.")
        return known

    def _masked(self, file: dict[str, Any], fields: str) -> dict[str, Any]:
        """Only what was asked for; without asking, four fields."""
        wanted = [name.partition("/")[0] for name in (fields or "kind,id,name,mimeType").split(",")]
        for name in wanted:
            if name not in self.discovery.document["schemas"]["File"]["properties"]:
                raise Refused(400, "invalidParameter", f"Invalid field selection {name}")
        return {name: file[name] for name in wanted if name in file}
