"""Bring a finished file to Google Drive: into My Drive or a shared drive, once."""

import re
from collections.abc import Callable, Mapping
from time import time
from typing import Any, ClassVar

import httpx
import msgspec

from .base import Connector, ConnectorConfig, Delivery, MediaFile, Outcome, Reject
from .google_api import GoogleApi
from .google_auth import Accounts, GoogleConnection
from .google_drive_folders import Folders, folder_info
from .google_drive_upload import CHUNK, Upload

API_URL = "https://www.googleapis.com"
SCOPE = "https://www.googleapis.com/auth/drive"
NO_STORAGE = (
    "a service account has no storage of its own. Choose one: (1) a folder of a shared drive, with the service account"
    " as its member (Content manager), in the connection's `folder`; (2) domain-wide delegation, with the person who"
    " shall own the files in `subject`; (3) a person's own consent: client_id, client_secret and refresh_token"
)
_LINK = re.compile(r"https://drive\.google\.com/(?:drive/(?:u/\d+/)?folders/|open\?id=)([\w-]+)", re.ASCII)
_ID = re.compile(r"[\w-]{5,}", re.ASCII)


class DriveConfig(ConnectorConfig):
    """``with:`` of a step that uses ``google_drive``."""

    name: str = ""
    """What the file is called; default: the name in the relay's store. Drive lets two files share one."""
    folder: str = ""
    """Path of folders below the connection's ``folder``, made as needed: ``Videos/2026-11``."""
    description: str = ""
    share: str = ""
    """Who may view it besides: ``anyone`` (with the link), a domain, or a person's address. Nobody is mailed."""


class DriveConnection(GoogleConnection):
    """A ``google_drive`` connection."""

    folder: str = ""
    """Id or link of the folder, or id of the shared drive, that everything goes into; default: My Drive."""


class GoogleDrive(Connector):
    """Once: the file's id is noted before it is used, and Drive refuses (409) to make it twice."""

    name: ClassVar[str] = "google_drive"
    Config = DriveConfig
    Connection = DriveConnection
    moves_media = True

    def __init__(self, now: Callable[[], float] = time, chunk: int = CHUNK) -> None:
        self._accounts = Accounts(SCOPE, now)
        self._folders = Folders()
        self._chunk = chunk

    async def deliver(self, config: DriveConfig, delivery: Delivery) -> Outcome:
        if delivery.media is None:
            raise Reject("this finish has no file to upload; use `on: task.succeeded`")
        permission = _permission(config.share) if config.share else None
        settings = _settings(delivery.connection)
        api = self._api(settings, delivery.http)
        root = _folder_id(settings.folder)
        parent = await self._folders.ensure(api, root, config.folder, delivery.notes) if config.folder else root
        upload = Upload(
            api, delivery.notes, delivery.media, _metadata(config, delivery, delivery.media, parent), self._chunk
        )
        file = await upload.land(NO_STORAGE if api.account.is_service_account else "")
        if permission:
            await _share(api, file["id"], permission)
        detail = {"id": file["id"], "name": file.get("name"), "folder": parent, "bytes": delivery.media.size}
        detail |= {"sha256": delivery.media.sha256, "checked": file["checked"], "already": file["already"]}
        detail |= {"download_url": file.get("webContentLink"), "shared_with": config.share or None}
        return Outcome(url=file.get("webViewLink"), detail=detail)

    async def check(self, connection: Mapping[str, str], http: httpx.AsyncClient) -> str:
        settings = _settings(connection)
        api = self._api(settings, http)
        about = await api.get("/drive/v3/about", "asking Drive who we are", fields="user,storageQuota")
        who = about.get("user", {}).get("emailAddress") or api.account.who or "somebody"
        root = _folder_id(settings.folder)
        if root == "root":
            if api.account.is_service_account:
                raise Reject(f"{who} is signed in, but {NO_STORAGE}")
            _has_room(about.get("storageQuota", {}), who)
            return f"Google Drive as {who}, into My Drive"
        folder = await folder_info(api, root)
        if api.account.is_service_account and not folder.get("driveId"):
            raise Reject(f"the folder {folder['name']!r} is not on a shared drive, and {NO_STORAGE}")
        if not folder.get("capabilities", {}).get("canAddChildren"):
            raise Reject(
                f"{who} may see the folder {folder['name']!r} but not add to it; make it a Content manager or Editor"
            )
        if not folder.get("driveId"):
            _has_room(about.get("storageQuota", {}), who)
        return f"Google Drive as {who}, into {folder['name']!r}" + (
            " on a shared drive" if folder.get("driveId") else ""
        )

    def _api(self, settings: DriveConnection, http: httpx.AsyncClient) -> GoogleApi:
        return GoogleApi(self._accounts.of(settings), http, (settings.api_url or API_URL).rstrip("/"))


def _settings(connection: Mapping[str, str]) -> DriveConnection:
    try:
        return msgspec.convert(dict(connection), DriveConnection)
    except msgspec.ValidationError as error:
        raise Reject(f"the connection does not fit google_drive: {error}") from error


def _folder_id(text: str) -> str:
    """The id in what people paste."""
    text = text.strip()
    link = _LINK.match(text)
    if link:
        return link[1]
    if text and text != "root" and not _ID.fullmatch(text):
        raise Reject(
            f"the connection's `folder` is {text[:100]!r}; it must be a folder's id or its link in Google Drive"
        )
    return text or "root"


def _metadata(config: DriveConfig, delivery: Delivery, media: MediaFile, parent: str) -> dict[str, Any]:
    properties = {"beatrelay": delivery.key, "beatrelayTask": str(delivery.event.get("task", {}).get("id", ""))}
    metadata: dict[str, Any] = {"name": config.name or media.name, "mimeType": media.mime_type, "parents": [parent]}
    # Drive keeps 124 bytes of a property, name and value together; they are for people who search, not for us
    metadata["appProperties"] = {name: value[:80] for name, value in properties.items() if value}
    if config.description:
        metadata["description"] = config.description
    return metadata


def _permission(share: str) -> dict[str, Any]:
    if share == "anyone":
        return {"type": "anyone", "role": "reader", "allowFileDiscovery": False}
    if re.fullmatch(r"[^@\s]+@[^@\s]+\.[^@\s]+", share):
        return {"type": "user", "role": "reader", "emailAddress": share}
    if re.fullmatch(r"[a-zA-Z0-9-]+(\.[a-zA-Z0-9-]+)+", share):
        return {"type": "domain", "role": "reader", "domain": share, "allowFileDiscovery": False}
    raise Reject(
        f"`share` is {share[:100]!r}; it must be `anyone`, a domain such as example.com, or a person's address"
    )


async def _share(api: GoogleApi, file: str, permission: Mapping[str, Any]) -> None:
    """Giving the same permission again changes nothing."""
    query = {"supportsAllDrives": "true", "fields": "id"}
    if permission["type"] == "user":
        query["sendNotificationEmail"] = "false"
    answer = await api.call("POST", f"/drive/v3/files/{file}/permissions", query=query, body=permission)
    if not answer.ok:
        todo = "the file itself is in Drive; allow this way of sharing, or leave `share` out of the recipe"
        answer.fail(f"sharing with {permission['type']}", api.account.now(), todo)


def _has_room(quota: Mapping[str, Any], who: str) -> None:
    limit, usage = int(quota.get("limit") or 0), int(quota.get("usage") or 0)
    if limit and usage >= limit:
        raise Reject(f"the Drive of {who} is full ({usage} of {limit} bytes); make room, or choose a shared drive")
