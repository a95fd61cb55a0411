"""Figures to take home, drawn by Matplotlib: fit for paper, legible in grey, the same bytes each time; no Gradio."""
