"""A JSON Schema of recipes, for editors: made from the structs that read them, so that it cannot say anything else."""

from collections.abc import Mapping
from typing import Any

import msgspec

from .model import EACH_MEDIA, EVENTS, Recipe, Schedule

TITLE = "A recipe of beatrelay"
_NOT_IN_A_FILE = ("file", "source", "hash", "schedule")
_TEMPLATE = {"type": "string", "pattern": r"\{[{%]"}
"""Where a number or a mapping is wanted, a template may give it."""


def schema(configs: Mapping[str, type[msgspec.Struct]]) -> bytes:
    """The schema as it is committed; ``configs`` are the connectors' settings by name."""
    kinds = [Recipe, Schedule, *configs.values()]
    _, parts = msgspec.json.schema_components(kinds, schema_hook=_anything, ref_template="#/$defs/{name}")
    recipe, step = parts["Recipe"], parts["Step"]
    for name in _NOT_IN_A_FILE:
        recipe["properties"].pop(name, None)
    event = {"enum": list(EVENTS)}
    recipe["properties"]["on"] = {
        "anyOf": [event, {"type": "array", "items": event}, {"$ref": "#/$defs/Schedule"}],
        "description": "What starts it.",
    }
    step["properties"]["after"] = _one_or_many(step["properties"]["after"])
    step["properties"]["for_each"] = {"const": EACH_MEDIA}
    step["properties"]["use"] = {"enum": sorted(configs)}
    for name, value in parts["Match"]["properties"].items():
        parts["Match"]["properties"][name] = _one_or_many(value)
    for config in configs.values():
        parts[config.__name__] = _templated(parts[config.__name__])
    step["allOf"] = [
        {
            "if": {"properties": {"use": {"const": name}}},
            "then": {"properties": {"with": {"$ref": f"#/$defs/{config.__name__}"}}},
        }
        for name, config in sorted(configs.items())
    ]
    document = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": TITLE,
        "$ref": "#/$defs/Recipe",
        "$defs": {name: parts[name] for name in sorted(parts)},
    }
    return msgspec.json.format(msgspec.json.encode(document), indent=2) + b"\n"


def _anything(_: type) -> dict[str, Any]:
    """``object`` is whatever YAML can hold; an empty schema would count as none."""
    return {"description": "Any value."}


def _one_or_many(many: Mapping[str, Any]) -> dict[str, Any]:
    return {"anyOf": [{"type": "string"}, dict(many)]}


def _templated(config: Mapping[str, Any]) -> dict[str, Any]:
    """The settings of a connector as they stand in a recipe: each may be a template."""
    properties = {name: {"anyOf": [value, _TEMPLATE]} for name, value in config["properties"].items()}
    return {**config, "properties": properties}
