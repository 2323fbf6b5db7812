"""Reads recipes: what shall happen with a finish, as YAML with sandboxed Jinja."""

from .check import Known, check, check_text
from .errors import Problem, RecipeErrors, RenderError, UnknownRecipe
from .load import load_folder, parse
from .model import EVENTS, SCHEDULE, Match, Recipe, RecipeSet, Retries, Schedule, Step
from .preview import Call, Preview, preview
from .render import Renderer
from .schedule import next_time, wrong_schedule

__all__ = [
    "EVENTS",
    "SCHEDULE",
    "Call",
    "Known",
    "Match",
    "Preview",
    "Problem",
    "Recipe",
    "RecipeErrors",
    "RecipeSet",
    "RenderError",
    "Renderer",
    "Retries",
    "Schedule",
    "Step",
    "UnknownRecipe",
    "check",
    "check_text",
    "load_folder",
    "next_time",
    "parse",
    "preview",
    "wrong_schedule",
]
