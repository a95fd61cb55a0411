"""How SynVI made the images of a collection, from which they can be rendered again."""

from __future__ import annotations

from app.library.library import Library
from mun.files import read_json
from mun.structures import Split
from mun.synvi.plan import Plan, Recipe

__all__ = ["plan_of", "recipe_of"]


def plan_of(library: Library, data: str) -> Plan | None:
    """Read the plan that a data set was rendered from.

    Returns:
        The plan; `None` for other data, and where the manifest is gone, of another version, or of other people.
    """
    collection = library.collections[data]

    def read() -> Plan | None:
        try:
            plan = Plan.from_manifest(read_json(collection.folder / "manifest.json"))
        except (ValueError, OSError):
            return None
        return plan if {sample.pid for sample in collection.samples} <= set(plan.pids()[Split.TEST]) else None

    return library.cache.get(("plan", collection.content), read, lambda _: 1000) if collection.synthetic else None


def recipe_of(plan: Plan, image: str) -> Recipe | None:
    """Return what an image was made from; `None` for one that was put beside the rendered ones."""
    try:
        return plan.recipe_of(image)
    except ValueError:
        return None
