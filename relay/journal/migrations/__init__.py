"""The journal's tables on SQLite, as numbered steps that never change once released.

One module a subject; they are applied in the order in which they are imported here, so a new one goes last.
"""

from . import line as line

from . import notes as notes  # isort: skip  (the order is the order of the steps)
from . import keys as keys  # isort: skip
from . import endpoints as endpoints  # isort: skip
from . import lanes as lanes  # isort: skip
from . import queue as queue  # isort: skip
from . import ledger as ledger  # isort: skip
from . import batches as batches  # isort: skip
from . import occasions as occasions  # isort: skip
from . import people as people  # isort: skip
from . import secrets as secrets  # isort: skip
from . import retention as retention  # isort: skip
from . import chosen as chosen  # isort: skip
from . import recipes as recipes  # isort: skip
from . import watched as watched  # isort: skip
from . import restores as restores  # isort: skip
from . import remembered as remembered  # isort: skip
from . import hidden as hidden  # isort: skip
from .steps import migrations

__all__ = ["migrations"]
