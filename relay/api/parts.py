"""The relay's parts as handlers ask for them: handed in by the application, not checked on every request."""

from litestar.di import NamedDependency
from litestar.params import SkipValidation

from relay.clock import Clock
from relay.flow.archive import MediaStore
from relay.flow.intake import Intake
from relay.flow.settle import Settler
from relay.journal import Journal
from relay.metrics import Metrics

TheClock = NamedDependency[SkipValidation[Clock]]
TheIntake = NamedDependency[SkipValidation[Intake]]
TheJournal = NamedDependency[SkipValidation[Journal]]
TheMetrics = NamedDependency[SkipValidation[Metrics]]
TheSettler = NamedDependency[SkipValidation[Settler]]
TheStore = NamedDependency[SkipValidation[MediaStore]]
