"""Share links of file services: a page for people becomes a link to the file, or a reason why it cannot."""

import re
from urllib.parse import parse_qs, urlencode, urlsplit, urlunsplit

_DRIVE_FILE = re.compile(r"/file/(?:u/\d+/)?d/([\w-]{10,})")
_GOOGLE_DOCUMENTS = re.compile(r"/(document|spreadsheets|presentation|forms)/")


class LinkError(Exception):
    """A link that leads to a page, never to a file; the message ends a sentence about the cell."""


def direct(url: str) -> str:
    """``url`` itself, or the direct form of a Google Drive or Dropbox share link. Raises :class:`LinkError`."""
    parts = urlsplit(url)
    host = (parts.hostname or "").lower()
    if host == "drive.google.com":
        return _drive(url)
    if host == "docs.google.com" and _GOOGLE_DOCUMENTS.search(parts.path):
        raise LinkError("is a Google document, not a file; put the audio or image file itself on Drive and share that")
    if host in ("www.dropbox.com", "dropbox.com"):
        return _dropbox(url)
    return url


def _drive(url: str) -> str:
    parts = urlsplit(url)
    query = parse_qs(parts.query)
    if "/folders/" in parts.path:
        raise LinkError("is a Google Drive folder; link the file in it (right click, Share, Copy link)")
    match = _DRIVE_FILE.search(parts.path)
    file_id = match.group(1) if match else query.get("id", [""])[0]
    if not file_id:
        raise LinkError("is a Google Drive page without a file; use the file's own share link")
    again = {"export": "download", "id": file_id}
    if "resourcekey" in query:
        again["resourcekey"] = query["resourcekey"][0]
    return f"https://drive.google.com/uc?{urlencode(again)}"


def _dropbox(url: str) -> str:
    parts = urlsplit(url)
    if parts.path.startswith(("/sh/", "/scl/fo/", "/home", "/work")):
        raise LinkError("is a Dropbox folder or a page of your own; use the file's share link")
    query = {name: values[0] for name, values in parse_qs(parts.query).items() if name != "raw"}
    return urlunsplit(parts._replace(query=urlencode({**query, "dl": "1"})))
