"""The relay's parts as handlers ask for them: handed in by the application, not checked on every request."""

from typing import Annotated

from litestar.params import Dependency

from relay.clock import Clock
from relay.flow.archive import MediaStore
from relay.flow.intake import Intake
from relay.journal import Journal
from relay.metrics import Metrics

_given = Dependency(skip_validation=True)

TheClock = Annotated[Clock, _given]
TheIntake = Annotated[Intake, _given]
TheJournal = Annotated[Journal, _given]
TheMetrics = Annotated[Metrics, _given]
TheStore = Annotated[MediaStore, _given]
