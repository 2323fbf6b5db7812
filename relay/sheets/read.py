"""From a file's bytes to a :class:`Table`: the content decides what it is, not its name."""

from .delimited import read_delimited
from .table import SheetError, Table
from .workbook import read_workbook

MOST_BYTES = 50 * 1024 * 1024
MOST_ROWS = 100_000
_ZIP, _OLE = b"PK\x03\x04", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"


def read_table(content: bytes, sheet: str | None = None) -> Table:
    """Read a CSV (any usual encoding and delimiter) or a workbook (xlsx, xlsm, xlsb, xls, ods).

    ``sheet`` names a sheet of a workbook; default: its first visible one. Raises :class:`SheetError`.
    """
    if len(content) > MOST_BYTES:
        raise SheetError(f"the file has {len(content)} bytes; at most {MOST_BYTES} are read. Split it")
    if not content.strip(b"\x00 \t\r\n\xef\xbb\xbf\xff\xfe"):
        raise SheetError("the file is empty; its first row must name the columns")
    if content.startswith((_ZIP, _OLE)):
        table = read_workbook(content, sheet)
    elif content.startswith(b"%PDF"):
        raise SheetError("the file is a PDF; export the sheet as CSV or XLSX instead")
    else:
        if sheet is not None:
            raise SheetError(f"a CSV has no sheets, so {sheet!r} cannot be chosen; leave it out")
        table = read_delimited(content)
    if len(table.lines) > MOST_ROWS:
        raise SheetError(f"the sheet has {len(table.lines)} rows; at most {MOST_ROWS} are read. Split it")
    return table
