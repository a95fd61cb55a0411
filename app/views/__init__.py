"""From what a visitor chose to pieces of the page, one module for each tab; no Gradio, no arithmetic."""
