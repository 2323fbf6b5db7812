"""Reads recipes: what shall happen with a finish, as YAML with sandboxed Jinja."""

from .check import check
from .errors import Problem, RecipeErrors, RenderError
from .load import load_folder, parse
from .model import EVENTS, Recipe, RecipeSet, Retries, Step
from .render import Renderer

__all__ = [
    "EVENTS",
    "Problem",
    "Recipe",
    "RecipeErrors",
    "RecipeSet",
    "RenderError",
    "Renderer",
    "Retries",
    "Step",
    "check",
    "load_folder",
    "parse",
]
