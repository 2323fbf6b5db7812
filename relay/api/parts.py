"""The relay's parts as handlers ask for them: handed in by the application, not checked on every request."""

from litestar.di import NamedDependency
from litestar.params import SkipValidation

from relay.clock import Clock
from relay.flow.archive import MediaStore
from relay.flow.intake import Intake
from relay.journal import Journal
from relay.metrics import Metrics

TheClock = NamedDependency[SkipValidation[Clock]]
TheIntake = NamedDependency[SkipValidation[Intake]]
TheJournal = NamedDependency[SkipValidation[Journal]]
TheMetrics = NamedDependency[SkipValidation[Metrics]]
TheStore = NamedDependency[SkipValidation[MediaStore]]
