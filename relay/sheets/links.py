"""Share links of file services: a page for people becomes a link to the file, or a reason why it cannot."""

import re
from urllib.parse import parse_qs, urlencode, urlsplit, urlunsplit

from .table import UNSEEN

_DRIVE_FILE = re.compile(r"/file/(?:u/\d+/)?d/([\w-]{10,})")
_GOOGLE_DOCUMENTS = re.compile(r"/(document|spreadsheets|presentation|forms)/")


_AROUND = " \t\u00a0\"'<>\u00ab\u00bb\u2018\u2019\u201c\u201d\u201e"
"""What programs and people put around a link."""
_PAGES = {
    "youtube.com": "YouTube",
    "youtu.be": "YouTube",
    "spotify.com": "Spotify",
    "soundcloud.com": "SoundCloud",
    "music.apple.com": "Apple Music",
    "icloud.com": "iCloud",
    "photos.app.goo.gl": "Google Photos",
    "photos.google.com": "Google Photos",
    "1drv.ms": "OneDrive",
    "onedrive.live.com": "OneDrive",
    "wetransfer.com": "WeTransfer",
    "we.tl": "WeTransfer",
}
"""Sites whose links open a page with a player or a button, whoever follows them."""


class LinkError(Exception):
    """A link that leads to a page, never to a file; the message ends a sentence about the cell."""


def bare(text: str) -> str:
    """A link without the quotes around it, and without characters that nobody sees."""
    return "".join(one for one in text if one not in UNSEEN).strip(_AROUND)


def direct(url: str) -> str:
    """``url`` itself, or the direct form of a Google Drive or Dropbox share link. Raises :class:`LinkError`."""
    try:
        parts = urlsplit(url)
        host = (parts.hostname or "").lower()
    except ValueError as error:
        raise LinkError("is no link that can be followed") from error
    if host in ("www.google.com", "google.com") and parts.path == "/url":
        query = parse_qs(parts.query)
        return direct((query.get("q") or query.get("url") or [""])[0])
    site = next((name for known, name in _PAGES.items() if host == known or host.endswith(f".{known}")), None)
    if site is not None:
        raise LinkError(f"is a page of {site}, not a file")
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
