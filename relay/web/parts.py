"""What only pages ask for, besides :mod:`relay.api.parts`."""

from litestar.di import NamedDependency
from litestar.params import SkipValidation

from relay.flow.approvals import Approvals
from relay.flow.callback import Callback
from relay.flow.poll import Poller
from relay.flow.shots import Shots
from relay.flow.storyboard import Storyboards
from relay.flow.trial import Trials
from relay.settings import Settings

from .gate import Session
from .live import Live
from .once import Once

TheApprovals = NamedDependency[SkipValidation[Approvals]]
TheCallback = NamedDependency[SkipValidation[Callback]]
TheLive = NamedDependency[SkipValidation[Live]]
TheOnce = NamedDependency[SkipValidation[Once]]
ThePoller = NamedDependency[SkipValidation[Poller]]
TheSession = NamedDependency[SkipValidation[Session]]
TheShots = NamedDependency[SkipValidation[Shots]]
TheStoryboards = NamedDependency[SkipValidation[Storyboards]]
TheTrials = NamedDependency[SkipValidation[Trials]]
TheSettings = NamedDependency[SkipValidation[Settings]]
