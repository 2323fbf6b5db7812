"""How large a picture is, told from its first bytes."""

WIDEST = 4.0
"""A picture may be at most this many times as wide as high, or as high as wide."""


def size_of(head: bytes) -> tuple[int, int] | None:
    """Width and height of a PNG, JPEG or WebP in pixels; ``None`` if these bytes do not tell."""
    if head.startswith(b"\x89PNG\r\n\x1a\n") and head[12:16] == b"IHDR":
        return _real(int.from_bytes(head[16:20]), int.from_bytes(head[20:24]))
    if head.startswith(b"\xff\xd8"):
        return _jpeg(head)
    return _webp(head) if head[:4] == b"RIFF" and head[8:12] == b"WEBP" else None


def fits(size: tuple[int, int]) -> bool:
    """Whether its aspect ratio is between 1:4 and 4:1."""
    return max(size) <= WIDEST * min(size)


def _jpeg(head: bytes) -> tuple[int, int] | None:
    at = 2
    while at + 9 <= len(head) and head[at] == 0xFF:
        kind = head[at + 1]
        if 0xC0 <= kind <= 0xCF and kind not in (0xC4, 0xC8, 0xCC):  # the start of a frame, not a table
            return _real(int.from_bytes(head[at + 7 : at + 9]), int.from_bytes(head[at + 5 : at + 7]))
        at += 2 + int.from_bytes(head[at + 2 : at + 4])
    return None


def _webp(head: bytes) -> tuple[int, int] | None:
    kind = head[12:16]
    if kind == b"VP8X":
        return _real(1 + int.from_bytes(head[24:27], "little"), 1 + int.from_bytes(head[27:30], "little"))
    if kind == b"VP8L" and len(head) >= 25:
        bits = int.from_bytes(head[21:25], "little")
        return _real(1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF))
    if kind == b"VP8 ":
        return _real(int.from_bytes(head[26:28], "little") & 0x3FFF, int.from_bytes(head[28:30], "little") & 0x3FFF)
    return None


def _real(width: int, height: int) -> tuple[int, int] | None:
    return (width, height) if width and height else None
