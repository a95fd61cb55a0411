"""Who may import whom: imports point down, the app is a thin shell, start-up stays light."""

import ast
import re
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

# What each file or folder of mun/ may import directly; what those may import, it may too.
LEAVES = {"structures", "config", "distributed", "files", "images", "progress", "torchvision_compat"}
LIBRARY: dict[str, set[str]] = {
    "__init__": set(),
    **{part: set() for part in LEAVES},
    "parser": {"config"},
    "decoding": {"images"},
    "features": {"structures"},
    "search": set(),
    "synvi": {"structures", "files"},
    "auxiliary": LEAVES,
    "losses": LEAVES,
    "data": LEAVES | {"synvi"},
    "models": {"auxiliary"},
    "checkpoint": {"models"},
    "own": {"checkpoint"},
    "hub": {"checkpoint"},
    "embedding": {"checkpoint", "data", "features"},
    "evaluation": {"embedding"},
    "projection": {"embedding"},
    "explain": {"embedding", "own"},
    "analysis": {"evaluation"},
    "training": {"hub", "evaluation", "losses", "__init__"},
    "experiments": {"training"},
    "commands": {"own", "experiments", "explain", "projection", "parser", "analysis", "features"},
    "__main__": {"commands"},
}
# The same of app/, where everything may import mun/ but its commands.
FEATURES = {"retrieval", "embeddings", "auxiliary", "explain", "analysis", "train", "about"}
APP: dict[str, set[str]] = {
    "server": set(),
    "library": set(),
    "shared": {"library"},
    **{part: {"shared"} for part in FEATURES},
    "page": FEATURES | {"server"},
    "start": {"page", "server"},
}
# Where Gradio may be imported: the page, its wiring and what stands before it. `start` imports it when it is asked.
WITH_GRADIO = re.compile(
    rf"app(\.(page|start|theme|shared\.(api|tab)|server\..+|({'|'.join(sorted(FEATURES))})\.tab))?"
)


def module_name(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def part_of(name: str) -> str:
    """The file or folder of mun/ or app/ that a module belongs to; `__init__` of the package itself."""
    return name.split(".")[1] if "." in name else "__init__"


@cache
def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


@cache
def imports_of(path: Path) -> set[str]:
    """Full names of the modules that a file imports; `from mun import commands` counts as `mun.commands`."""
    found = set()
    for node in ast.walk(parsed(path)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} uses a relative import"
            for alias in node.names:
                full = f"{node.module}.{alias.name}"
                place = ROOT / full.replace(".", "/")
                is_module = place.with_suffix(".py").exists() or place.is_dir()
                found.add(full if is_module else str(node.module))
    return found


def reachable(table: dict[str, set[str]], part: str) -> set[str]:
    return {part}.union(*(reachable(table, below) for below in table[part]))


MODULES = sorted([*ROOT.glob("mun/**/*.py"), *ROOT.glob("app/**/*.py")])
STANDING = {part for part in APP if part in {"page", "start"} or (ROOT / "app" / part).is_dir()}


def is_allowed(name: str, imported: str) -> bool:
    """Whether a module of mun/ or app/ may import another one."""
    part, below = part_of(name), part_of(imported)
    if name.split(".")[0] == "mun":
        return imported.split(".")[0] == "mun" and below in reachable(LIBRARY, part)
    if imported.split(".")[0] == "mun":
        return below not in {"commands", "__main__"}
    return not {part, below} <= STANDING or below in reachable(APP, part)


def test_imports_point_down() -> None:
    names = {path: module_name(path) for path in MODULES}
    unknown = {part_of(name) for name in names.values() if name.startswith("mun.")} - LIBRARY.keys()
    unknown |= {path.parent.name for path in ROOT.glob("app/*/*.py")} - APP.keys()
    assert not unknown, "what is new stands in the table, with what it may import"
    ours = [(names[path], one) for path in MODULES for one in imports_of(path) if one.split(".")[0] in {"mun", "app"}]
    assert len(ours) > 500
    assert [f"{name} imports {one}" for name, one in ours if not is_allowed(name, one)] == []


def packages_of(path: Path) -> set[str]:
    """The first names of what a file imports."""
    return {name.split(".")[0] for name in imports_of(path)}


@pytest.mark.parametrize(
    ("packages", "rooms"),
    [({"gradio"}, WITH_GRADIO), ({"torchvision", "pytorch_grad_cam"}, re.compile(r"mun\.torchvision_compat"))],
)
def test_some_packages_stay_in_their_rooms(packages: set[str], rooms: re.Pattern[str]) -> None:
    """The library and the computations work without Gradio; torchvision is repaired before it is used."""
    assert [
        str(path) for path in MODULES if packages & packages_of(path) and not rooms.fullmatch(module_name(path))
    ] == []


@pytest.mark.parametrize(
    ("pattern", "allowed"),
    [("mun/evaluation/metrics.py", {"numpy"}), ("mun/data/corruptions/*.py", {"mun", "numpy", "scipy", "PIL"})],
)
def test_some_parts_need_few_packages(pattern: str, allowed: set[str]) -> None:
    needed = set().union(*(packages_of(path) for path in ROOT.glob(pattern)))
    assert needed - set(sys.stdlib_module_names) == allowed


def test_the_library_is_code_alone() -> None:
    """No image, texture or weight of others."""
    assert {path.suffix for path in (ROOT / "mun").rglob("*") if path.is_file()} <= {".py", ".pyc"}


def test_all_names_what_is_public() -> None:
    for path in MODULES:
        assigned = [node for node in parsed(path).body if isinstance(node, ast.Assign)]
        names = {target.id for node in assigned for target in node.targets if isinstance(target, ast.Name)}
        assert path.name.startswith("__") or "__all__" in names, f"{path} does not say what is public"


@pytest.mark.parametrize(
    ("module", "unwanted"),
    [
        ("mun", {"torch", "numpy"}),
        ("mun.__main__", {"torch", "numpy"}),
        ("mun.commands.synth", {"torch", "gradio"}),
        ("app.start", {"torch", "gradio"}),  # a lent GPU is asked for before torch is imported
        ("mun.experiments.cost", {"resource"}),  # which Windows lacks
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
        for node in parsed(path).body:
            is_docstring = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
            assert is_docstring or not isinstance(node, ast.Expr | ast.For | ast.While | ast.With), (
                f"{path}:{node.lineno} does something at import"
            )


def test_the_documents_name_every_folder() -> None:
    """The drawing of the house shows what is on disk: each folder, and each module that is in none."""
    pages = [path.read_text(encoding="utf-8") for path in (ROOT / "README.md", ROOT / "docs" / "architecture.md")
             if path.is_file()]  # fmt: skip
    for path in MODULES:
        alone = path.parent.name in {"app", "mun", "synvi"} and path.name != "__init__.py"
        name = path.name if alone else path.parent.name
        assert any(name in page for page in pages), f"README and docs/architecture.md do not mention {path}"
