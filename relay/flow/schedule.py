"""Recipes that fire by the hour. APScheduler reads the hours; the journal knows which of them have been."""

from collections.abc import Callable

from relay.clock import Clock
from relay.journal import Journal
from relay.recipe import SCHEDULE, Recipe, RecipeSet, next_time

from .loop import Loop
from .occasions import Herald
from .plan import Labels

GRACE = 3600.0
"""Seconds that a fire may be late, when the relay was not running at its hour; an older one is left out."""


class Hours(Loop):
    """Fires each scheduled recipe at its hour, once: after a pause, only the last hour that was missed."""

    def __init__(self, journal: Journal, clock: Clock, recipes: Callable[[], RecipeSet], herald: Herald) -> None:
        super().__init__("hours", clock)
        self._journal = journal
        self._recipes = recipes
        self._herald = herald
        self._since: dict[tuple[str, str, str], float] = {}

    async def step(self) -> float:
        dues = [due for recipe in self._recipes().on(SCHEDULE) if (due := await self._fire(recipe)) is not None]
        return self.until(min(dues, default=None))

    async def drain(self) -> None:
        """Nothing is under way between two steps."""

    async def _fire(self, recipe: Recipe) -> float | None:
        """Fire ``recipe`` if it is due; returns when it is due again."""
        assert recipe.schedule is not None
        schedule, now = recipe.schedule, self._clock.wall()
        known = (recipe.name, schedule.schedule, schedule.tz)
        since = self._since.get(known)
        if since is None:
            last = await self._journal.occasions.latest(f"{SCHEDULE}/{recipe.name}/")
            since = now if last is None else max(last, now - GRACE)
        fired, due = None, next_time(schedule, since)
        while due is not None and due <= now:
            fired, due = due, next_time(schedule, due)
        if fired is not None:
            what = f"{recipe.name}/{int(fired)}"
            await self._herald.announce(SCHEDULE, what, fired, {}, RecipeSet([recipe]), Labels())
        self._since[known] = fired or since
        return due
