"""The static import closure of a stage's script, and what a stage of `dvc.yaml` declares."""

import ast
from pathlib import Path

ROOT = Path(__file__).parents[1]
SRC = ROOT / "src"
STAGES = ROOT / "stages"


def closure(script: Path) -> set[Path]:
    """The script and every module of `spinlock` or `stages/` that it imports, directly or not.

    The package's own `__init__` is left out: it holds the lazy public names and decides nothing.
    """
    found: set[Path] = set()
    queue = [script]
    while queue:
        file = queue.pop()
        if file not in found:
            found.add(file)
            queue += [m for name in _imported(file) for m in _files(name)]
    return found - {SRC / "spinlock" / "__init__.py"}


def _imported(file: Path) -> set[str]:
    """Dotted names that a file imports, with `from a import b` read as both `a` and `a.b`."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            if node.level:
                raise ValueError(f"{file}: relative import; write it in full")
            names |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def _files(name: str) -> list[Path]:
    """The module of that name and the packages above it, where these are files of ours."""
    parts = name.split(".")
    if parts[0] != "spinlock":
        beside = STAGES / f"{name}.py"
        return [beside] if beside.is_file() else []
    places = [SRC.joinpath(*parts[:end]) for end in range(1, len(parts) + 1)]
    candidates = [p / "__init__.py" for p in places] + [places[-1].with_suffix(".py")]
    return [path for path in candidates if path.is_file()]


def expand(deps: list[str]) -> set[Path]:
    """The Python files among a stage's `deps`, folders unfolded."""
    found: set[Path] = set()
    for dep in deps:
        path = ROOT / dep
        if path.suffix == ".py":
            found.add(path)
        elif path.is_relative_to(SRC):
            found |= set(path.rglob("*.py"))
    return found
