from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from app.library import Library, open_library
from app.library.plans import plan_of


def test_the_plan_of_the_data_renders_their_images_again(library: Library) -> None:
    plan, collection = plan_of(library, "synvi"), library.collections["synvi"]
    assert plan is not None
    assert plan.recipe_of(collection.samples[0].key).image().shape == collection.image(collection.samples[0]).shape


@pytest.mark.parametrize("manifest", [{"seed": None}, {"level_version": 0}, {"test_ids": 5}, {"train_ids": 9}])
def test_a_manifest_of_another_version_or_of_other_people_is_no_plan(
    tiny_synvi: Path, tiny_checkpoint: Path, tmp_path: Path, manifest: dict[str, object]
) -> None:
    folder = tmp_path / "data"
    shutil.copytree(tiny_synvi, folder)
    written = json.loads((folder / "manifest.json").read_text())
    (folder / "manifest.json").write_text(json.dumps({**written, **manifest}))
    assert plan_of(open_library(folder, tiny_checkpoint), "synvi") is None
