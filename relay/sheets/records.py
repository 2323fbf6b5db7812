"""The records of the binary workbooks, XLS and XLSB, as far as errors and hidden rows are told in them.

Each record is a type, a length and a body. An XLS keeps them in a stream of a compound file, an XLSB in the parts of a
package. What is damaged raises :class:`SheetError`, :class:`IndexError` or :class:`struct.error`.
"""

import posixpath
import zipfile
from collections.abc import Iterator, Sequence
from struct import unpack, unpack_from

from .package import elements
from .table import SheetError

BINARY = "xl/workbook.bin"
"""The part by which an XLSB is known."""
_RELATIONS = "xl/_rels/workbook.bin.rels"
_ERRORS = {0x00: "#NULL!", 0x07: "#DIV/0!", 0x0F: "#VALUE!", 0x17: "#REF!", 0x1D: "#NAME?", 0x24: "#NUM!", 0x2A: "#N/A"}
_NO_SECTOR = 0xFFFFFFFA
"""From here on a number names no sector."""

Record = tuple[int, bytes]
Mark = tuple[int, int, str]
"""A row (from 1), a column (from 0) and the error that stands there; or a row, and ``HIDDEN``."""
HIDDEN = (-1, "")


def of_xls(content: bytes, sheet: str) -> Iterator[Mark]:
    """What is told of a sheet of an XLS, if it is of 1997 or later."""
    stream, depth = _Compound(content).stream("Workbook"), 0
    for kind, body in _records_of_xls(stream, _offset(stream, sheet)):
        depth += {0x0809: 1, 0x000A: -1}.get(kind, 0)  # a chart within the sheet begins and ends as the sheet does
        if depth == 0:
            return
        row, column = unpack_from("<HH", body) if len(body) >= 4 else (0, 0)
        if kind == 0x0208 and body[12] & 0x20:  # ROW
            yield row + 1, *HIDDEN
        elif kind == 0x0205 and body[7]:  # BOOLERR
            yield row + 1, column, _error(body[6])
        elif kind == 0x0006 and body[6] == 2 and body[12:14] == b"\xff\xff":  # FORMULA
            yield row + 1, column, _error(body[8])


def of_xlsb(packed: zipfile.ZipFile, sheet: str) -> Iterator[Mark]:
    """What is told of a sheet of an XLSB."""
    row = 0
    for kind, body in _records_of_xlsb(packed.read(_part(packed, sheet))):
        if kind == 0:  # BrtRowHdr
            row = unpack_from("<I", body)[0] + 1
            if body[11] & 0x10:
                yield row, *HIDDEN
        elif kind in (3, 11):  # BrtCellError, BrtFmlaError
            yield row, unpack_from("<I", body)[0], _error(body[8])


def _error(code: int) -> str:
    return _ERRORS.get(code, "#N/A")


def _records_of_xls(stream: bytes, at: int) -> Iterator[Record]:
    while at + 4 <= len(stream):
        kind, length = unpack_from("<HH", stream, at)
        yield kind, stream[at + 4 : at + 4 + length]
        at += 4 + length


def _offset(stream: bytes, sheet: str) -> int:
    """Where the records of a sheet begin."""
    for kind, body in _records_of_xls(stream, 0):
        if kind == 0x0085:  # BOUNDSHEET
            wide, length = body[7] & 1, body[6]
            name = body[8 : 8 + (length << wide)].decode("utf-16-le" if wide else "latin-1")
            if name == sheet:
                return unpack_from("<I", body)[0]
    raise SheetError(f"the workbook has no sheet {sheet!r}")


def _records_of_xlsb(part: bytes) -> Iterator[Record]:
    at = 0
    while at < len(part):
        kind, at = _number(part, at)
        length, at = _number(part, at)
        yield kind, part[at : at + length]
        at += length


def _number(part: bytes, at: int) -> tuple[int, int]:
    """A number of seven bits a byte, the lowest first, and where what follows it begins."""
    number = 0
    for index in range(4):
        byte = part[at + index]
        number |= (byte & 0x7F) << 7 * index
        if byte < 0x80:
            return number, at + index + 1
    return number, at + 4


def _part(packed: zipfile.ZipFile, sheet: str) -> str:
    """The part that holds a sheet."""
    for kind, body in _records_of_xlsb(packed.read(BINARY)):
        if kind == 156:  # BrtBundleSh
            relation, at = _text(body, 8)
            if _text(body, at)[0] == sheet:
                found = elements(packed.read(_RELATIONS), "Relationship")
                target = next((one["Target"] for one in found if one.get("Id") == relation), "")
                return target.lstrip("/") if target.startswith("/") else posixpath.normpath(f"xl/{target}")
    raise SheetError(f"the workbook has no sheet {sheet!r}")


def _text(body: bytes, at: int) -> tuple[str, int]:
    end = at + 4 + 2 * unpack_from("<I", body, at)[0]
    return body[at + 4 : end].decode("utf-16-le"), end


class _Compound:
    """A compound file: sectors, a table that tells which sector follows which, and a directory of streams."""

    def __init__(self, content: bytes) -> None:
        self._content = content
        self._shift, self._small_shift = unpack_from("<HH", content, 30)
        self._directory_at, self._small_below, self._small_table_at = (
            unpack_from("<I", content, at)[0] for at in (48, 56, 60)
        )
        listed, more = list(unpack_from("<109I", content, 76)), unpack_from("<I", content, 68)[0]
        while more < _NO_SECTOR and len(listed) << self._shift < len(content):
            *some, more = _numbers(self._sector(more))
            listed += some
        self._follows = _numbers(b"".join(self._sector(number) for number in listed if number < _NO_SECTOR))

    def stream(self, name: str) -> bytes:
        """By its name."""
        directory = self._chain(self._directory_at)
        entries = [directory[at : at + 128] for at in range(0, len(directory) - 127, 128)]
        wanted = name.encode("utf-16-le")
        for entry in entries:
            if entry[: len(wanted) + 2] == wanted + b"\0\0":
                start, size = unpack_from("<II", entry, 116)
                if size >= self._small_below:
                    return self._chain(start)[:size]
                return self._small(unpack_from("<I", entries[0], 116)[0], start)[:size]
        raise SheetError(f"the file has no stream {name}")

    def _small(self, first: int, start: int) -> bytes:
        """A stream that is shorter than a sector is worth: it lies in one that holds all of them."""
        whole, follows = self._chain(first), _numbers(self._chain(self._small_table_at))
        size = 1 << self._small_shift
        return b"".join(whole[at * size : (at + 1) * size] for at in _links(follows, start))

    def _chain(self, first: int) -> bytes:
        return b"".join(self._sector(number) for number in _links(self._follows, first))

    def _sector(self, number: int) -> bytes:
        return self._content[(number + 1) << self._shift : (number + 2) << self._shift]


def _numbers(content: bytes) -> tuple[int, ...]:
    count = len(content) // 4
    return unpack(f"<{count}I", content[: 4 * count])


def _links(follows: Sequence[int], first: int) -> Iterator[int]:
    at = first
    for _ in follows:  # a circle would never end
        if at >= _NO_SECTOR:
            return
        yield at
        at = follows[at]
