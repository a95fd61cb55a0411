"""SynVI: procedural pedestrians, ray-cast in visible and in near-infrared light, with knobs and the truth attached."""

from mun.data.synthetic.camera import CAMERAS, Camera
from mun.data.synthetic.counterfactual import REMOVABLE, Change, Counterfactual, counterfactual
from mun.data.synthetic.levels import LEVELS, Knobs, Level, level_of
from mun.data.synthetic.people import draw_identity
from mun.data.synthetic.plan import Plan, Recipe
from mun.data.synthetic.render import Rendering, render, render_image
from mun.data.synthetic.scene import Key, Scene, draw_scene
from mun.data.synthetic.solids import Part
from mun.data.synthetic.truth import Truth, corresponding, read_truth, truth_of
from mun.data.synthetic.wardrobe import Identity, Pattern
from mun.data.synthetic.writer import write

__all__ = [
    "CAMERAS",
    "LEVELS",
    "REMOVABLE",
    "Camera",
    "Change",
    "Counterfactual",
    "Identity",
    "Key",
    "Knobs",
    "Level",
    "Part",
    "Pattern",
    "Plan",
    "Recipe",
    "Rendering",
    "Scene",
    "Truth",
    "corresponding",
    "counterfactual",
    "draw_identity",
    "draw_scene",
    "level_of",
    "read_truth",
    "render",
    "render_image",
    "truth_of",
    "write",
]
