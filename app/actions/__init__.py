"""What the app can do, without Gradio: each action is a Request with bounds and `run(library, request) → Result`."""
