"""What the relay remembers. SQL stays in here."""

from .base import Conflict, Deliveries, InUse, Journal, JournalError, Receipts, Superseded, Tasks
from .endpoints import EndpointKind, EndpointRow, EndpointStore, EventStore, Notice
from .keys import KeyRow, KeyStore
from .model import (
    Change,
    DeliveryRow,
    Entry,
    Finish,
    MediaRow,
    Operation,
    OperationKind,
    Pulse,
    Receipt,
    Received,
    Settlement,
    Source,
    TaskRow,
    Verdict,
)
from .sealed import place_of
from .sqlite import SqliteJournal

__all__ = [
    "Change",
    "Conflict",
    "Deliveries",
    "DeliveryRow",
    "EndpointKind",
    "EndpointRow",
    "EndpointStore",
    "Entry",
    "EventStore",
    "Finish",
    "InUse",
    "Journal",
    "JournalError",
    "KeyRow",
    "KeyStore",
    "MediaRow",
    "Notice",
    "Operation",
    "OperationKind",
    "Pulse",
    "Receipt",
    "Receipts",
    "Received",
    "Settlement",
    "Source",
    "SqliteJournal",
    "Superseded",
    "TaskRow",
    "Tasks",
    "Verdict",
    "place_of",
]
