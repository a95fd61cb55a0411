"""SynVI: procedural pedestrians, ray-cast in visible and in near-infrared light, with knobs and the truth attached."""

from mun.data.synthetic.camera import CAMERAS, Camera
from mun.data.synthetic.levels import LEVELS, Knobs, Level, level_of
from mun.data.synthetic.people import draw_identity
from mun.data.synthetic.render import Rendering, render, render_image
from mun.data.synthetic.scene import Key, Scene, draw_scene
from mun.data.synthetic.solids import Part
from mun.data.synthetic.wardrobe import Identity
from mun.data.synthetic.writer import Plan, write

__all__ = [
    "CAMERAS",
    "LEVELS",
    "Camera",
    "Identity",
    "Key",
    "Knobs",
    "Level",
    "Part",
    "Plan",
    "Rendering",
    "Scene",
    "draw_identity",
    "draw_scene",
    "level_of",
    "render",
    "render_image",
    "write",
]
