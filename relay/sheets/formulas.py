"""Formulas that give nothing to go by: those that failed, and those whose value was never saved.

Read as empty they would be a wish: no second image, no prompt. So they stay in sight, and a row that needs one is not
asked for.
"""

import re

from msgspec import Struct

NOT_SAVED = "#NOT SAVED: "
"""Stands before a formula that a program wrote without reckoning it."""
_FAILED = re.compile(r"#(?:N/A|NV|N/D|[A-ZÀ-Þ¡0/_]{2,15}[!?])|Err:\d{3}")  # as CSVs have them, in any language


class Unsettled(Struct, frozen=True):
    """Why a cell has no value, ending a sentence about it, and how to mend it."""

    rule: str
    fix: str


_NOT_SAVED = Unsettled(
    "is a formula whose value was not saved", "open the sheet in a spreadsheet program, save it there and give it again"
)
_ERROR = Unsettled("is the error of a formula", "mend the formula, or write the value itself")


def failed(text: str) -> bool:
    """Whether it is what a formula that failed shows, such as ``#REF!``, or ``Err:502`` in LibreOffice."""
    return text.startswith(("#", "Err:")) and _FAILED.fullmatch(text) is not None


def unsettled(text: str) -> Unsettled | None:
    """Why the text of a cell is no value; ``None`` if it is one."""
    if text.startswith(NOT_SAVED):
        return _NOT_SAVED
    return _ERROR if failed(text) else None


def saved(text: str) -> str:
    """``text``, or nothing in the place of a formula whose value was not saved."""
    return "" if text.startswith(NOT_SAVED) else text
