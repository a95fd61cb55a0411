"""Training runs that outlive a page, a stop, a crash and a restart; no Gradio."""
