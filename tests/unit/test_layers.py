"""What may import what: the parts meet in `shared` and nowhere else."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PARTS = ("cli", "gateway", "shared", "supervisor", "worker")

# Libraries a part must stay clear of: a crash, a start-up time or a dependency it must not have.
BANNED = {
    "cli": {"fastapi", "llama_cpp", "starlette", "uvicorn", "zmq"},
    "gateway": {"llama_cpp"},
    "shared": {"fastapi", "llama_cpp", "starlette", "uvicorn"},
    "supervisor": {"fastapi", "llama_cpp", "numpy", "starlette", "uvicorn"},
    "worker": {"fastapi", "starlette", "uvicorn"},
}


def imports(source: str) -> Iterator[str]:
    """The absolute names of all modules imported anywhere in `source`."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            assert node.module is not None
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def files(part: str) -> list[Path]:
    found = sorted((ROOT / part).rglob("*.py"))
    assert found, f"{part} has no Python files"
    return found


def kronk_part(module: str) -> str | None:
    top, _, rest = module.partition(".")
    return rest.partition(".")[0] or None if top == "kronk" else None


@pytest.mark.parametrize("part", PARTS)
def test_a_part_imports_only_itself_and_shared(part: str) -> None:
    allowed = {part, "shared", "__version__", None}
    for path in files(part):
        wrong = {name for name in imports(path.read_text()) if kronk_part(name) not in allowed}
        assert not wrong, f"{path.relative_to(ROOT)} imports {sorted(wrong)}"


@pytest.mark.parametrize("part", PARTS)
def test_a_part_does_not_import_what_it_is_kept_clear_of(part: str) -> None:
    for path in files(part):
        tops = {name.partition(".")[0] for name in imports(path.read_text())}
        assert not tops & BANNED[part], f"{path.relative_to(ROOT)}: {sorted(tops & BANNED[part])}"


@pytest.mark.parametrize("part", PARTS)
def test_parts_are_imported_by_their_installed_name(part: str) -> None:
    for path in files(part):
        tops = {name.partition(".")[0] for name in imports(path.read_text())}
        assert not tops & set(PARTS), f"{path.relative_to(ROOT)} imports a folder of the checkout"


def test_the_import_finder_sees_every_form() -> None:
    source = (
        "import a.b\nfrom c import d\nfrom . import e\ndef f():\n    from kronk.worker import g"
    )
    assert set(imports(source)) == {"a.b", "c", "c.d", "kronk.worker", "kronk.worker.g"}
