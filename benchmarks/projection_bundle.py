"""Make the layouts that the Embeddings tab shows first: `python -m benchmarks.projection_bundle`.

They are found by the content of checkpoint and images, so they must be made again when a bundled checkpoint changes;
a test checks this. Old layouts are deleted.
"""

from pathlib import Path

from app.embeddings.project import FOLDER, project, save
from app.embeddings.projector import shared_projector
from app.embeddings.request import View
from app.library import open_library
from app.start import prepare_environment

ROOT = Path(__file__).resolve().parent.parent


def main() -> None:
    """Make the layouts and print their sizes."""
    prepare_environment()
    library = open_library(ROOT / "assets" / "synvi", ROOT / "checkpoints")
    made = [project(library, side) for side in View.read({}, library).sides(library)]
    for path in FOLDER.glob("*.json"):
        path.unlink()
    for result in made:
        path = save(library, result)
        print(f"{path.relative_to(ROOT)}: {path.stat().st_size / 1000:.0f} kB, {result.request.checkpoint}")
    shared_projector().close()


if __name__ == "__main__":
    main()
