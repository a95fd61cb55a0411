"""Who may import whom: imports point down, the app is a thin shell, start-up stays light."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

# Each part and the parts it may import directly; what those may import, it may too.
MAY_IMPORT: dict[str, set[str]] = {
    "mun": set(),
    "mun.structures": set(),
    "mun.files": set(),
    "mun.config": set(),
    "mun.images": set(),
    "mun.pixels": set(),
    "mun.device": set(),
    "mun.parser": {"mun.config"},
    "mun.progress": set(),
    "mun.auxiliary": {"mun.structures", "mun.config", "mun.pixels"},
    "mun.losses": {"mun.structures", "mun.config"},
    "mun.synvi": {"mun.structures", "mun.files"},
    "mun.data": {"mun.structures", "mun.progress", "mun.files", "mun.images", "mun.config", "mun.synvi"},
    "mun.models": {"mun.auxiliary"},
    "mun.checkpoint": {"mun.models", "mun.files"},
    "mun.snapshots": {"mun.checkpoint"},
    "mun.embedding": {"mun.checkpoint", "mun.data", "mun.device"},
    "mun.torchvision_compat": set(),
    "mun.explain": {"mun.embedding", "mun.torchvision_compat"},
    "mun.evaluation": {"mun.embedding", "mun.data"},
    "mun.panel": {"mun.auxiliary"},
    "mun.projection": set(),
    "mun.training": {"mun.evaluation", "mun.losses", "mun.models", "mun.data", "mun.snapshots", "mun"},
    "mun.experiments": {"mun.training"},
    "mun.commands": {"mun.experiments", "mun.training", "mun.parser"},
    "mun.__main__": {"mun.commands", "mun.parser"},
    "app.cache": set(),
    "app.thumbnails": {"mun.images"},
    "app.checkpoints": {"mun.checkpoint"},
    "app.collection": {"mun.evaluation"},
    "app.distances": {"app.collection"},
    "app.visit": {"app.collection"},
    "app.preparing": set(),
    "app.library": {
        "app.preparing",
        "app.cache",
        "app.thumbnails",
        "app.checkpoints",
        "app.distances",
        "mun.embedding",
        "app.jobs",
    },
    "app.jobs": {"mun.training"},
    "app.actions": {
        "app.results",
        "app.projector",
        "app.library",
        "app.checkpoints",
        "app.figures",
        "app.tables",
        "mun.panel",
    }
    | {"mun.snapshots", "mun.explain", "mun"},
    "app.projector": {"mun.projection"},
    "app.cards": {"app.actions"},
    "app.links": {"app.actions", "app.visit"},
    "app.menus": {"app.actions", "app.visit"},
    "app.views": {"app.actions", "app.cards", "app.links", "app.figures", "app.results"},
    "app.errors": set(),
    "app.api": {"app.actions", "app.errors"},
    "app.theme": set(),
    "app.tabs": {"app.views", "app.menus", "app.theme", "app.errors", "app.server"},
    "app.results": {"mun.files", "mun.experiments"},
    "app.interface": {"app.tabs", "app.api", "app.server"},
    "app": {"app.interface"},
    "app.tables": set(),
    "app.server": set(),
    "app.figures": {"mun"},
    "app.start": {"app", "app.theme", "app.server", "mun.parser"},
}
WITH_GRADIO = ("app.api", "app.errors", "app.server", "app.theme", "app.tabs", "app.interface")


def module_name(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def part_of(name: str) -> str:
    """The longest known part that a module belongs to; `mun.config` of `mun.config`, `app` of `app`."""
    candidates = [part for part in MAY_IMPORT if name == part or name.startswith(part + ".")]
    return max(candidates, key=len, default=name)


def imports_of(path: Path) -> set[str]:
    """Full names of the modules that a file imports; `from mun import commands` counts as `mun.commands`."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} uses a relative import"
            for alias in node.names:
                full = f"{node.module}.{alias.name}"
                is_module = (ROOT / full.replace(".", "/")).with_suffix(".py").exists() or (
                    ROOT / full.replace(".", "/")
                ).is_dir()
                found.add(full if is_module else str(node.module))
    return found


def reachable(part: str) -> set[str]:
    below = set(MAY_IMPORT[part])
    for child in MAY_IMPORT[part]:
        below |= reachable(child)
    return below


MODULES = sorted([*ROOT.glob("mun/**/*.py"), *ROOT.glob("app/**/*.py")])


@pytest.mark.parametrize("path", MODULES, ids=module_name)
def test_imports_point_down(path) -> None:
    name = module_name(path)
    part = part_of(name)
    assert part in MAY_IMPORT, f"{name} belongs to no known part; add it to the table"
    allowed = reachable(part) | {part}
    for imported in imports_of(path):
        if imported.split(".")[0] in {"mun", "app"}:
            assert part_of(imported) in allowed, f"{name} imports {imported}"


@pytest.mark.parametrize("path", MODULES, ids=module_name)
def test_gradio_stays_in_its_rooms(path) -> None:
    """The library and the actions work without it; `app` and `app.start` import it inside functions, when asked."""
    if part_of(module_name(path)) in {*WITH_GRADIO, "app", "app.start"}:
        return
    assert not any(imported.split(".")[0] == "gradio" for imported in imports_of(path))


def test_metrics_need_numpy_alone() -> None:
    standard = {"__future__", "collections", "dataclasses", "typing", "math"}
    tops = {name.split(".")[0] for name in imports_of(ROOT / "mun/evaluation/metrics.py")}
    assert tops - standard == {"numpy"}


def test_all_names_what_is_public() -> None:
    for path in MODULES:
        if path.name == "__init__.py" or path.name.startswith("__"):
            continue
        tree = ast.parse(path.read_text(encoding="utf-8"))
        assigned = {
            target.id for node in tree.body if isinstance(node, ast.Assign) for target in node.targets
            if isinstance(target, ast.Name)
        }  # fmt: skip
        assert "__all__" in assigned, f"{path} does not say what is public"


@pytest.mark.parametrize(
    ("module", "unwanted"),
    [
        ("mun", {"torch", "numpy"}),
        ("mun.__main__", {"torch", "numpy"}),
        ("mun.commands.score", {"torch", "gradio", "scipy"}),
        ("mun.commands.synth", {"torch", "gradio"}),
        ("mun.training.trainer", {"gradio", "torchvision", "sklearn", "matplotlib"}),
    ],
)
def test_start_up_stays_light(module, unwanted) -> None:
    script = f"import sys, {module}; print(sorted(set(sys.modules) & {unwanted!r}))"
    shown = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True)
    assert shown.stdout.strip() == "[]"


def test_nothing_runs_at_import() -> None:
    """Module level holds definitions, constants and imports; calls only build constants."""
    for path in MODULES:
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            is_docstring = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
            assert is_docstring or not isinstance(node, ast.Expr | ast.For | ast.While | ast.With), (
                f"{path}:{node.lineno} does something at import"
            )


def test_readme_names_every_file_and_folder() -> None:
    """The tree in the README is the tree on disk: every module is named there, or its folder is."""
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    for path in MODULES:
        folder = path.parent.relative_to(ROOT).as_posix()
        named_alone = folder in {"app", "mun", "mun/synvi"} and path.name != "__init__.py"
        assert (path.name if named_alone else path.parent.name) in readme, f"README does not mention {path}"
