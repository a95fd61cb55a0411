"""The look: system fonts, quiet neutrals, one accent."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import gradio as gr

if TYPE_CHECKING:
    from gradio.themes import Base

__all__ = ["build_theme", "page_head", "script", "stylesheet"]

STATIC = Path(__file__).with_name("static")


def build_theme() -> Base:
    """Build the theme; its fonts are the system's, so that nothing is fetched."""
    theme = gr.themes.Base(
        primary_hue="teal",
        secondary_hue="teal",
        neutral_hue="slate",
        radius_size="md",
        font=("ui-sans-serif", "system-ui", "-apple-system", "Segoe UI", "Roboto", "sans-serif"),
        font_mono=("ui-monospace", "SFMono-Regular", "Menlo", "Consolas", "monospace"),
    )
    return theme.set(
        body_background_fill="#f6f7f9",
        body_background_fill_dark="#0e131b",
        block_background_fill="#ffffff",
        block_background_fill_dark="#161d28",
        block_border_width="1px",
        block_shadow="none",
        block_label_text_weight="500",
        block_title_text_weight="500",
    )


def stylesheet() -> str:
    """Read the page's own style sheets: first the one that all tabs share, then those of the tabs."""
    first, outside = STATIC / "page.css", STATIC / "outside.css"
    files = [first, *sorted(path for path in STATIC.glob("*.css") if path not in (first, outside))]
    return "\n".join(path.read_text(encoding="utf-8") for path in files)


def script(*names: str) -> str:
    """Read some of the page's own scripts, one after another."""
    return "\n".join((STATIC / name).read_text(encoding="utf-8") for name in names)


def page_head() -> str:
    """Return the head of the page: its scripts, and the style rules that Gradio would apply only inside its boxes."""
    outside = (STATIC / "outside.css").read_text(encoding="utf-8")
    return f"<style>{outside}</style><script>{script('page.js', 'own.js')}</script>"
