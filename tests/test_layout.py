"""Folders import in one direction, modules in no circle, and functions import nothing but for a start without delay."""

import ast
import re
import sys
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import NamedTuple

import pytest

import pixzip.engine
from tests.conftest import LONGEST, ROOT

PICTURE = (ROOT / "docs" / "architecture.md").read_text("utf-8")
#: Folder -> the folders that an arrow of the picture leads to.
ARROWS: dict[str, set[str]] = {}
for above, below in re.findall(r"^  (\w+) --> (\w+)$", PICTURE, re.MULTILINE):
    ARROWS.setdefault(above, set()).add(below)
FACE = {"pixzip", "__main__", "numcodecs", "torch", "webdataset", "zarr"}

#: What imports in functions, because `pixzip --help`, `import zarr` and Pillow's plugins must start without delay, or
#: because only a GPU needs it.
LATE = (
    "pixzip.__main__",
    "pixzip.adapters",
    "pixzip.cli",
    "pixzip.codec.decoders",  # kernels, where only heads of blocks are asked for
    "pixzip.codec.jpeg_search",
    "pixzip.engine.backends.cuda.engine",  # Triton
    "pixzip.engine.executor",  # how much memory a GPU has
    "pixzip.io.streams",  # headers, where standard input is no .pxz file
    "pixzip.models.library",  # safetensors and torch, where only names are asked for
    "pixzip.originals.deflate_search",  # kernels, where an original is only described
    "pixzip.originals.deflaters",
)


class Import(NamedTuple):
    """One module imports another, in a line of its file, at its top or in a function."""

    importer: str
    imported: str
    line: int
    late: bool

    def __str__(self) -> str:
        return f"{self.importer}, line {self.line}: imports {self.imported}"


def modules_of(root: Path) -> dict[str, Path]:
    found = {}
    for base in (root, root / "codecs"):
        for package in ("pixzip", "pixcodecs"):
            for file in (base / package).rglob("*.py"):
                parts = file.relative_to(base).with_suffix("").parts
                found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = file
    return found


def imports_of(modules: dict[str, Path]) -> list[Import]:
    """All imports of modules by modules, those for type checkers too."""

    def inside(node: ast.AST, late: bool) -> Iterator[tuple[str, int, bool]]:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.Import):
                yield from ((alias.name, child.lineno, late) for alias in child.names)
            if isinstance(child, ast.ImportFrom):
                assert child.level == 0, "a relative import"
                for alias in child.names:
                    inner = f"{child.module}.{alias.name}"
                    yield inner if inner in modules else str(child.module), child.lineno, late
            yield from inside(child, late or isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda))

    return [
        Import(name, imported, line, late)
        for name, file in modules.items()
        for imported, line, late in inside(ast.parse(file.read_text("utf-8")), False)
        if imported in modules
    ]


def folder_of(module: str) -> str:
    package, *rest = module.split(".")
    name = rest[0] if package == "pixzip" and rest else package
    return "face" if name in FACE else name


def reached(folder: str) -> set[str]:
    """The folders that arrows lead to, one after another."""
    direct = ARROWS.get(folder, set())
    return direct.union(*map(reached, direct))


def upward(imports: list[Import]) -> list[Import]:
    """Imports along which no arrows lead."""
    pairs = {i: (folder_of(i.importer), folder_of(i.imported)) for i in imports}
    return [i for i, (above, below) in pairs.items() if above != below and below not in reached(above)]


def circles(imports: list[Import]) -> list[str]:
    """The modules of a circle of imports; [] where there is none."""
    graph: dict[str, set[str]] = {}
    for found in imports:
        graph.setdefault(found.importer, set()).add(found.imported)
    try:
        list(TopologicalSorter(graph).static_order())
    except CycleError as e:
        return [str(name) for name in e.args[1]]
    return []


@pytest.fixture(scope="module")
def imports() -> list[Import]:
    found = imports_of(modules_of(ROOT))
    assert len(found) > 500
    return found


def test_folders_import_what_is_below_them(imports: list[Import]) -> None:
    assert not upward(imports), "\n".join(map(str, upward(imports)))


def test_every_arrow_of_the_picture_is_an_import_and_none_is_drawn_in_vain(imports: list[Import]) -> None:
    used = {(folder_of(i.importer), folder_of(i.imported)) for i in imports}
    assert {(above, below) for above, direct in ARROWS.items() for below in direct} <= used
    for direct in ARROWS.values():
        assert not direct & set().union(*map(reached, direct)), "an arrow beside a longer way"


def test_every_folder_is_in_the_picture_and_the_tree(imports: list[Import]) -> None:
    folders = {folder_of(name) for name in modules_of(ROOT)}
    assert folders == set(ARROWS) | set().union(*ARROWS.values())
    tree = PICTURE.split("```")[1]
    packages = [file.parent for file in modules_of(ROOT).values() if file.name == "__init__.py"]
    shown = set(re.findall(r"^ *(?:codecs/)?(\w+)/ ", tree, re.MULTILINE))
    assert {p.name for p in packages} <= shown | set(re.findall(r"\w+", tree.partition("backends/")[2].splitlines()[0]))
    for name in re.findall(r"`((?:\w+/)+\w*(?:\.\w+)?)`", PICTURE):
        places = [ROOT, ROOT / "pixzip", *(ROOT / "pixzip").iterdir(), ROOT / "codecs", ROOT / "codecs" / "pixcodecs"]
        assert any((place / name).exists() for place in places), f"{name} is not there"


def test_every_interface_and_registry_that_the_page_names_is_defined() -> None:
    source = "\n".join(file.read_text("utf-8") for file in modules_of(ROOT).values())
    named = set(re.findall(r"`([A-Z]\w+)`", PICTURE))
    assert named >= {"Format", "Density", "Model", "Engine", "Stage", "EntropyCoder", "Executor", "CODERS", "VERBS"}
    missing = {name for name in named if not re.search(rf"^(class )?{name}\b", source, re.MULTILINE)}
    assert not missing


def test_every_folder_of_modules_is_a_package() -> None:
    folders = {file.parent for file in modules_of(ROOT).values()}
    assert not [folder for folder in folders if not (folder / "__init__.py").exists()]


def test_modules_import_in_no_circle(imports: list[Import]) -> None:
    assert not circles(imports)


def test_functions_import_only_for_a_start_without_delay(imports: list[Import]) -> None:
    late = [i for i in imports if i.late and not any(i.importer == n or i.importer.startswith(n + ".") for n in LATE)]
    assert not late, "\n".join(map(str, late))


def test_an_offending_import_is_named(tmp_path: Path) -> None:
    for name, text in {
        "pixzip/__init__.py": "",
        "pixzip/models/a.py": "from pixzip.engine import b\n",
        "pixzip/engine/b.py": "def f():\n    import pixzip.models.a\n",
        "pixzip/new/c.py": "import pixzip.models.a\n",
    }.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    found = imports_of(modules_of(tmp_path))
    assert sorted(map(str, upward(found))) == [
        "pixzip.models.a, line 1: imports pixzip.engine.b",
        "pixzip.new.c, line 1: imports pixzip.models.a",
    ]
    assert sorted(set(circles(found))) == ["pixzip.engine.b", "pixzip.models.a"]
    assert [i.importer for i in found if i.late] == ["pixzip.engine.b"]


def test_kernels_are_compiled_anew_when_anything_that_they_may_import_changes() -> None:
    reached, new = set[str](), {"engine"}
    while new:
        reached |= new
        new = {below for folder in new for below in ARROWS.get(folder, ())} - reached
    assert {f"pixzip.{folder}" for folder in reached - {"pixcodecs"}} == set(pixzip.engine.KERNEL_SOURCES)
    kernels = {module for module, path in modules_of(ROOT).items() if "compiled import" in path.read_text("utf-8")}
    assert all(module.startswith(("pixzip.engine.", "pixcodecs.")) for module in kernels)


def test_no_program_of_bench_hides_a_module_of_python() -> None:
    """Python puts the folder of a program before its own modules."""
    hidden = {path.stem for path in (ROOT / "bench").glob("*.py")} & set(sys.stdlib_module_names)
    assert not hidden


def test_files_of_tests_that_start_first_are_there() -> None:
    assert not [name for name in LONGEST if not (ROOT / "tests" / name).is_file()]
    assert len(set(LONGEST)) == len(LONGEST)
