"""Run as a program: renders each template that comes in as a JSON list, in a process of its own within hard limits, and
tells for each what became of it, in seconds of processor time and bytes of memory."""

import json
import os
import resource
import sys
from pathlib import Path
from typing import Any

from relay.recipe import RecipeErrors, Renderer, RenderError, parse
from relay.recipe.reach import sample

MEMORY = 400 * 1024 * 1024
SECONDS = 10


def render(template: str) -> str:
    """``refused: …``, or ``rendered`` with the length of what came out."""
    document = {
        "name": "x",
        "on": "task.succeeded",
        "steps": {"a": {"use": "http", "with": {"value": template}}},
    }
    try:
        recipe = parse(json.dumps(document), "r.yaml")
        made = Renderer().render(recipe, recipe.steps["a"], sample())
    except (RecipeErrors, RenderError) as error:
        return f"refused: {error}"
    return f"rendered {len(str(made))}"


def alone(template: str) -> dict[str, Any]:
    """Render in a child that cannot take more than the limits."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        size = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (size + MEMORY, size + MEMORY))
        resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS))
        os.write(writer, render(template).encode("utf-8", "replace")[:4000])
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader, "rb") as answer:
        said = answer.read().decode()
    _, status, usage = os.wait4(child, 0)
    return {
        "said": said,
        "status": status,
        "seconds": usage.ru_utime + usage.ru_stime,
        "bytes": usage.ru_maxrss * 1024,
    }


if __name__ == "__main__":
    json.dump([alone(template) for template in json.load(sys.stdin)], sys.stdout)
