"""The shipped recipes: what each is for and needs, and a copy of one for one's own folder."""

from pathlib import Path
from typing import Any

from litestar import Controller, Request, Response, get, post
from litestar.params import FromPath
from litestar.response import Template

from relay.api.errors import ApiError
from relay.api.parts import TheRecipeFiles, TheWorkbench
from relay.flow.recipe_files import ChangedMeanwhile, RecipeTrouble, Refused, switched
from relay.flow.workbench import Workbench
from relay.recipe.gallery import gallery

from .gate import back, visitor_of
from .recipes import sentence

_HINT = "# yaml-language-server:"


class GalleryPages(Controller):
    """``/recipes/gallery``."""

    path = "/recipes/gallery"

    @get()
    async def show_gallery(self, workbench: TheWorkbench) -> Template:
        """The shipped recipes."""
        shown = [await _shipped(name, file, workbench) for name, file in gallery().items()]
        return Template("gallery.html", context={"shown": shown})

    @post("/{name:str}/use", opt={"role": "admin"}, status_code=303)
    async def use(
        self, request: Request[Any, Any, Any], name: FromPath[str], recipe_files: TheRecipeFiles
    ) -> Response[Any]:
        """A copy in the folder. One that lacks something begins switched off."""
        shipped = gallery().get(name)
        if shipped is None:
            raise ApiError(404, f"There is no recipe {name[:80]} in the gallery.")
        text, file = _plain(shipped), shipped.name
        _, problems = await recipe_files.check(file, text)
        try:
            text = (switched(text, on=False) or text) if problems else text
            await recipe_files.save(file, text, "", visitor_of(request).name, "taken from the gallery", anyway=True)
        except ChangedMeanwhile:
            return back(f"/recipes/{file}", f"You have `{file}` already; here it is.", "ask")
        except Refused as error:
            return back("/recipes/gallery", sentence(error.problems), "bad")
        except RecipeTrouble as error:
            return back("/recipes/gallery", str(error), "bad")
        if problems:
            return back(f"/recipes/{file}", "It is here, and switched off: something is missing yet, see below.", "ask")
        return back(f"/recipes/{file}", "It is here, and in use.")


async def _shipped(name: str, file: Path, workbench: Workbench) -> dict[str, Any]:
    text = _plain(file)
    recipe, problems = await workbench.check_text(text, file.name)
    assert recipe is not None, "what is shipped can be read"
    comment = [line[1:].strip() for line in text.splitlines() if line.startswith("#")]
    return {"name": name, "recipe": recipe, "comment": "\n".join(comment), "text": text, "problems": problems}


def _plain(file: Path) -> str:
    """A shipped recipe without the hint for editors, which points to a file that is not beside the copy."""
    text = file.read_text(encoding="utf-8")
    return text.partition("\n")[2] if text.startswith(_HINT) else text
