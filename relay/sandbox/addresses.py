"""Which URLs the contract takes: public HTTPS, by their look alone. Nothing is ever resolved or fetched."""

import ipaddress
import re
from pathlib import PurePosixPath
from urllib.parse import urlsplit

SUFFIXES = {"image": (".png", ".jpg", ".jpeg", ".webp"), "audio": (".mp3", ".wav", ".aac", ".m4a"), "srt": (".srt",)}
_OTHER_SUFFIXES = (
    *(".gif", ".bmp", ".svg", ".tif", ".tiff", ".avif", ".heic"),
    *(".flac", ".ogg", ".opus", ".wma", ".aif", ".aiff"),
    *(".mp4", ".mov", ".webm", ".mkv", ".avi"),
    *(".pdf", ".txt", ".zip", ".htm", ".html"),
)
_KNOWN_SUFFIXES = {*_OTHER_SUFFIXES, *(suffix for kind in SUFFIXES.values() for suffix in kind)}
_LOCAL_NAMES = (".localhost", ".local", ".internal")


def is_public_https(url: object) -> bool:
    """Whether ``url`` is https and names a host that could be reached from anywhere."""
    scheme, host = _parts(url)
    return scheme == "https" and _is_public(host)


def is_local(url: object) -> bool:
    """Whether ``url`` is http or https and names this machine, a private address or a host without a domain."""
    scheme, host = _parts(url)
    return scheme in ("http", "https") and bool(host) and not _is_public(host)


def suffix_of(url: str) -> str:
    """``https://x.example/a.MP3?s=1`` → ``.mp3``."""
    path = re.split(r"[?#]", url.partition("//")[2].partition("/")[2], maxsplit=1)[0]
    return PurePosixPath(path).suffix.lower()


def is_of(kind: str, url: str) -> bool:
    """Whether nothing in the name says that it is something else: signed addresses often have no ending."""
    suffix = suffix_of(url)
    return suffix in SUFFIXES[kind] or suffix not in _KNOWN_SUFFIXES


def _parts(url: object) -> tuple[str, str]:
    """Scheme and host; both empty for what is no URL."""
    if not isinstance(url, str) or re.search(r"[\s\x00-\x1f\x7f]", url):
        return "", ""
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
        _ = parts.port  # raises for one that is no number
    except ValueError:
        return "", ""
    return parts.scheme, host.rstrip(".")


def _is_public(host: str) -> bool:
    if not host or host == "localhost" or host.endswith(_LOCAL_NAMES):
        return False
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        # 2130706433 and 0x7f.1 are addresses to some resolvers
        return "." in host and not re.fullmatch(r"[\d.]+|0x[\da-f.x]+", host, re.IGNORECASE)
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped:
        address = address.ipv4_mapped
    return address.is_global and not address.is_multicast
