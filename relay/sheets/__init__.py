"""Reads spreadsheets: a row in, a request out, and everything that is wrong with it by cell.

Pure but for the file itself: nothing is looked up, nothing is sent. Imports the contract only.
"""

from .columns import Columns, match
from .plan import PlannedRow, plan_rows
from .read import read_table
from .table import Line, SheetError, Table

__all__ = ["Columns", "Line", "PlannedRow", "SheetError", "Table", "match", "plan_rows", "read_table"]
