"""SynVI: procedural pedestrians, ray-cast in visible and near-infrared light, with knobs and ground truth."""

from mun.synvi.camera import CAMERAS
from mun.synvi.counterfactual import REMOVABLE, Change, Counterfactual, counterfactual
from mun.synvi.levels import LEVELS, SHAPES, Knobs, Level, level_of
from mun.synvi.people import draw_identity
from mun.synvi.plan import Plan, Recipe
from mun.synvi.scene import Key, Scene, draw_scene
from mun.synvi.solids import Part
from mun.synvi.truth import Truth, corresponding, read_truth, truth_of
from mun.synvi.wardrobe import Identity, Pattern
from mun.synvi.writer import write

__all__ = ["CAMERAS", "LEVELS", "REMOVABLE", "SHAPES", "Change", "Counterfactual", "Identity", "Key", "Knobs", "Level"]
__all__ += ["Part", "Pattern", "Plan", "Recipe", "Scene", "Truth", "corresponding", "counterfactual", "draw_identity"]
__all__ += ["draw_scene", "level_of", "read_truth", "truth_of", "write"]
