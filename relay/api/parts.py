"""The relay's parts as handlers ask for them: handed in by the application, not checked on every request."""

from pathlib import Path

from litestar.di import NamedDependency
from litestar.params import SkipValidation

from relay.clock import Clock
from relay.flow.account import Account
from relay.flow.archive import MediaStore
from relay.flow.batches import Batches
from relay.flow.cancel import Canceller
from relay.flow.connections import Connections
from relay.flow.deliver import Deliverer
from relay.flow.endpoints import Endpoints
from relay.flow.estimate import Quotes
from relay.flow.events import Events
from relay.flow.govern import Governor
from relay.flow.inputs import Inputs
from relay.flow.intake import Intake
from relay.flow.keys import Keys
from relay.flow.people import People
from relay.flow.recipe_files import RecipeFiles
from relay.flow.reconcile import Reconciler
from relay.flow.replay import Replayer
from relay.flow.settle import Settler
from relay.flow.sheet_files import SheetFiles
from relay.flow.sheets import Sheets
from relay.flow.shelf import Shelf
from relay.flow.triggers import Triggers
from relay.flow.watches import Watches
from relay.flow.workbench import Workbench
from relay.journal import Journal
from relay.metrics import Metrics
from relay.providers import Provider

TheAccount = NamedDependency[SkipValidation[Account]]
TheBatches = NamedDependency[SkipValidation[Batches]]
TheCanceller = NamedDependency[SkipValidation[Canceller]]
TheClock = NamedDependency[SkipValidation[Clock]]
TheConnections = NamedDependency[SkipValidation[Connections]]
TheDeliverer = NamedDependency[SkipValidation[Deliverer]]
TheEndpoints = NamedDependency[SkipValidation[Endpoints]]
TheEvents = NamedDependency[SkipValidation[Events]]
TheGovernor = NamedDependency[SkipValidation[Governor]]
TheInputs = NamedDependency[SkipValidation[Inputs]]
TheIntake = NamedDependency[SkipValidation[Intake]]
TheJournal = NamedDependency[SkipValidation[Journal]]
TheKeys = NamedDependency[SkipValidation[Keys]]
TheMetrics = NamedDependency[SkipValidation[Metrics]]
ThePeople = NamedDependency[SkipValidation[People]]
TheProvider = NamedDependency[SkipValidation[Provider]]
TheReplayer = NamedDependency[SkipValidation[Replayer]]
TheQuotes = NamedDependency[SkipValidation[Quotes]]
TheRecipeFiles = NamedDependency[SkipValidation[RecipeFiles]]
TheReconciler = NamedDependency[SkipValidation[Reconciler]]
TheSettler = NamedDependency[SkipValidation[Settler]]
TheSheetFiles = NamedDependency[SkipValidation[SheetFiles]]
TheSheets = NamedDependency[SkipValidation[Sheets]]
TheSpool = NamedDependency[SkipValidation[Path]]
TheShelf = NamedDependency[SkipValidation[Shelf]]
TheStore = NamedDependency[SkipValidation[MediaStore]]
TheWorkbench = NamedDependency[SkipValidation[Workbench]]
TheTriggers = NamedDependency[SkipValidation[Triggers]]
TheWatches = NamedDependency[SkipValidation[Watches]]
