"""What only pages ask for, besides :mod:`relay.api.parts`."""

from litestar.di import NamedDependency
from litestar.params import SkipValidation

from relay.flow.poll import Poller
from relay.settings import Settings

from .gate import Session
from .live import Live

TheLive = NamedDependency[SkipValidation[Live]]
ThePoller = NamedDependency[SkipValidation[Poller]]
TheSession = NamedDependency[SkipValidation[Session]]
TheSettings = NamedDependency[SkipValidation[Settings]]
