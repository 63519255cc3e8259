"""The shape of the package that no import contract can say: no module depends on itself, no function is a story of its own."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import edgeq

ROOT = Path(edgeq.__file__).parent
_LONGEST = 60  # lines of a function, without its docstring


def _modules() -> dict[str, ast.Module]:
    files = (p for p in ROOT.rglob("*.py") if "_shipped" not in p.parts)
    return {_name(p): ast.parse(p.read_text()) for p in files}


def _name(path: Path) -> str:
    parts = path.relative_to(ROOT.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def _imports(tree: ast.Module, known: frozenset[str]) -> Iterator[str]:
    """Inside of functions and under TYPE_CHECKING too."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module:
            names = (f"{node.module}.{alias.name}" for alias in node.names)
            yield from (name if name in known else node.module for name in names)


def _cycle(graph: dict[str, set[str]]) -> list[str]:
    """Some cycle, from a module back to it; empty where there is none."""
    done: set[str] = set()

    def search(name: str, path: list[str]) -> list[str]:
        if name in path:
            return [*path[path.index(name) :], name]
        if name in done:
            return []
        for other in sorted(graph[name]):
            if found := search(other, [*path, name]):
                return found
        done.add(name)
        return []

    return next((found for name in sorted(graph) if (found := search(name, []))), [])


def test_no_module_imports_itself_by_way_of_others() -> None:
    modules = _modules()
    known = frozenset(modules)
    graph = {
        name: {i for i in _imports(tree, known) if i in known} - {name} for name, tree in modules.items()
    }
    assert _cycle(graph) == []


def test_a_cycle_is_found() -> None:
    assert _cycle({"a": {"b"}, "b": {"c"}, "c": {"b"}}) == ["b", "c", "b"]


def test_no_function_is_longer_than_a_screen() -> None:
    found = [
        f"{name}.{node.name}: {length} lines"
        for name, tree in _modules().items()
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef) and (length := _length(node)) > _LONGEST
    ]
    assert found == []


def _length(function: ast.FunctionDef) -> int:
    docstring = ast.get_docstring(function, clean=False)
    return function.end_lineno - function.lineno + 1 - len((docstring or "").splitlines())  # type: ignore[operator]


def test_the_page_on_the_architecture_names_only_what_is_there() -> None:
    page = (ROOT.parent / "docs/architecture.md").read_text()
    named = set(re.findall(r"`((?:edgeq|targets|tests|docs)/[\w/.]*)`", page))
    assert named and [path for path in sorted(named) if not (ROOT.parent / path).exists()] == []
