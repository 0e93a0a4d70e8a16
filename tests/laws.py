"""The laws of the code, each a function over a parsed file that yields what breaks it.

They are functions so that each can be tried on a small bad example: a law that cannot fail holds nothing.
"""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import Final

LONGEST_FILE: Final = 400
LONGEST_TEST_FILE: Final = 600
LONGEST_FUNCTION: Final = 40
ROOT_ERROR: Final = "VintnerError"

# Package -> what it may import of the library besides itself; a package not named here is a subject.
KERNEL: Final[Mapping[str, frozenset[str]]] = {
    "errors": frozenset(),
    "bitemporal": frozenset({"errors"}),
    "lake": frozenset({"errors", "bitemporal"}),
    "messaging": frozenset({"errors", "bitemporal"}),
}
OUTSIDE_ROOMS: Final = frozenset(
    {"functions", "glue_jobs", "sagemaker", "edge", "local", "infra", "tests", "benchmarks"}
)
ONLY_IN_AWS: Final = frozenset({"boto3", "botocore"})
TOO_HEAVY: Final = frozenset({"pandas", "numpy", "polars"})

CLOCKS: Final = frozenset(
    {
        "date.today",
        "datetime.now",
        "datetime.today",
        "datetime.utcnow",
        "os.urandom",
        "time.gmtime",
        "time.localtime",
        "time.time",
        "time.time_ns",
        "uuid.uuid1",
        "uuid.uuid4",
    }
)
_SQL_CLOCK: Final = re.compile(r"\b(?:current_(?:timestamp|date|time)\b|now\s*\(\s*\)|today\s*\(\s*\))", re.IGNORECASE)
_GROUND_NAME: Final = re.compile(r"(?:^|_)(?:local|laptop|ministack|localstack)(?:_|$)", re.IGNORECASE)
_EVERY_INTERFACE: Final = "0.0.0.0"  # noqa: S104 - the address that is forbidden
_THIS_MACHINE: Final = frozenset({"127.0.0.1", "localhost"})


@dataclass(frozen=True)
class Source:
    """A Python file of the project: its path relative to the project, and its text."""

    path: str
    text: str

    @cached_property
    def tree(self) -> ast.Module:
        return ast.parse(self.text, self.path)

    @cached_property
    def nodes(self) -> tuple[ast.AST, ...]:
        return tuple(ast.walk(self.tree))

    @property
    def package(self) -> str | None:
        """Package of the library this file belongs to (``lake``, ``errors``, …), or None outside it."""
        _, found, inside = self.path.partition("python/vintner/")
        return inside.split("/")[0].removesuffix(".py") if found else None

    @property
    def room(self) -> str:
        return self.path.split("/")[0]

    def at(self, node: ast.AST, what: str) -> str:
        return f"{self.path}:{getattr(node, 'lineno', 1)}: {what}"


def read_sources(project: Path, files: Iterable[Path]) -> list[Source]:
    """Return the Python files among ``files`` (relative to ``project``)."""
    return [Source(f.as_posix(), (project / f).read_text(encoding="utf-8")) for f in files if f.suffix == ".py"]


def imports_point_inward(source: Source) -> Iterator[str]:
    """The library imports nothing of the rooms around it, and its packages import only what is below them."""
    if source.package is None:
        return
    for node, module in _imported(source):
        top, *rest = module.split(".")
        if top in OUTSIDE_ROOMS:
            yield source.at(node, f"the library imports {module}; the arrow points the other way")
        if top == "vintner" and rest and rest[0] not in _may_import(source.package):
            yield source.at(node, f"vintner.{source.package} may not import {module}")


def subjects_form_no_cycle(sources: Iterable[Source]) -> Iterator[str]:
    """Packages of the library depend on each other in one direction."""
    graph: defaultdict[str, set[str]] = defaultdict(set)
    for source in sources:
        if source.package:
            used = {m.split(".")[1] for _, m in _imported(source) if m.startswith("vintner.")}
            graph[source.package] |= used - {source.package}
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as cycle:
        yield "packages of the library import each other: " + " -> ".join(cycle.args[1])


def only_aws_knows_boto(source: Source) -> Iterator[str]:
    """Within the library boto3 and botocore are imported by `vintner.aws` alone."""
    if source.package in (None, "aws"):
        return
    for node, module in _imported(source):
        if module.split(".")[0] in ONLY_IN_AWS:
            yield source.at(node, f"{module} belongs into vintner.aws; take what is needed as an argument")


def library_is_light(source: Source) -> Iterator[str]:
    """The library imports no data frame package: none fits into its layer."""
    if source.package is None:
        return
    for node, module in _imported(source):
        if module.split(".")[0] in TOO_HEAVY:
            yield source.at(node, f"{module} is too heavy for a function; use Arrow or DuckDB")


def no_clock_and_no_dice(source: Source) -> Iterator[str]:
    """Domain and infrastructure take time as an argument and use no randomness without a seed."""
    if source.package in (None, "aws") and source.room != "infra":
        return
    notes = _docstrings(source)
    for node in source.nodes:
        if isinstance(node, ast.Call) and (what := _reads_clock_or_dice(node)):
            yield source.at(node, f"{what}: take it as an argument")
        if isinstance(node, ast.Constant) and node not in notes and (found := _SQL_CLOCK.search(str(node.value))):
            yield source.at(node, f"SQL reads the clock ({found.group()}): pass the time in")


def tests_throw_seeded_dice(source: Source) -> Iterator[str]:
    """Randomness in tests has a seed, so that a failure can be had again."""
    if source.room != "tests":
        return
    for node in source.nodes:
        if isinstance(node, ast.Call) and (what := _reads_dice(node)):
            yield source.at(node, f"{what} without a seed: use random.Random(seed) or hypothesis")


def init_only_exports(source: Source) -> Iterator[str]:
    """An `__init__.py` holds a docstring, imports and `__all__`, which names exactly what is imported."""
    if not source.path.endswith("__init__.py"):
        return
    imported: set[str] = set()
    exported: set[str] | None = None
    for node in source.tree.body:
        if isinstance(node, ast.ImportFrom | ast.Import):
            if not (isinstance(node, ast.ImportFrom) and node.module == "__future__"):
                imported |= {alias.asname or alias.name for alias in node.names}
        elif (names := _all_names(node)) is not None:
            exported = names
        elif not (isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)):
            yield source.at(node, "an __init__.py only exports; move this into a module")
    if imported and imported != (exported or set()):
        odd = ", ".join(sorted(imported ^ (exported or set())))
        yield source.at(source.tree, f"__all__ and the imports differ in: {odd}")


def files_are_short(source: Source) -> Iterator[str]:
    """Files stay below 400 lines, test files below 600."""
    limit = LONGEST_TEST_FILE if source.room == "tests" else LONGEST_FILE
    lines = source.text.count("\n")
    if lines >= limit:
        yield f"{source.path}: {lines} lines, fewer than {limit} are allowed; split it by idea"


def functions_are_short(source: Source) -> Iterator[str]:
    """Functions stay below 40 lines, not counting docstring and decorators."""
    for node in source.nodes:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            first = node.body[0]
            told = (first.end_lineno or 0) - first.lineno + 1 if _is_docstring(first) else 0
            lines = (node.end_lineno or 0) - node.lineno + 1 - told
            if lines >= LONGEST_FUNCTION:
                yield source.at(node, f"{node.name} has {lines} lines, fewer than {LONGEST_FUNCTION} are allowed")


def errors_have_one_root(sources: Iterable[Source]) -> Iterator[str]:
    """Every error of the project derives from VintnerError, ends in `Error`, and has a name of its own."""
    found = [(s, n) for s in sources if s.room != "tests" for n in s.nodes if isinstance(n, ast.ClassDef)]
    bases = {node.name: [_dotted(base).split(".")[-1] for base in node.bases] for _, node in found}
    seen: dict[str, str] = {}
    for source, node in found:
        ancestors = _ancestors(node.name, bases)
        if not any(name in ("BaseException", "Exception") or name.endswith("Error") for name in ancestors):
            continue
        if node.name != ROOT_ERROR and ROOT_ERROR not in ancestors:
            yield source.at(node, f"{node.name} does not derive from {ROOT_ERROR}")
        if not node.name.endswith("Error"):
            yield source.at(node, f"{node.name} is an error; its name has to end in Error")
        if node.name in seen:
            yield source.at(node, f"{node.name} is also the name of an error in {seen[node.name]}")
        seen[node.name] = source.path


def platform_knows_no_ground(source: Source) -> Iterator[str]:
    """No branch of the platform asks which ground it is on."""
    is_platform = source.package is not None or source.room in ("functions", "infra", "glue_jobs", "sagemaker")
    if not is_platform or source.path.startswith("infra/environments/"):
        return
    for node in source.nodes:
        if isinstance(node, ast.If | ast.IfExp | ast.While):
            words = list(_words(node.test))
        elif isinstance(node, ast.Match):
            words = [w for part in (node.subject, *(case.pattern for case in node.cases)) for w in _words(part)]
        else:
            continue
        if asked := [word for word in words if _GROUND_NAME.search(word)]:
            yield source.at(node, f"a branch on {asked[0]!r}: what differs between grounds is configuration")


def binds_this_machine_only(source: Source) -> Iterator[str]:
    """Tests, the laptop ground and the edge listen on 127.0.0.1 only."""
    if source.room not in ("tests", "local", "benchmarks", "edge"):
        return
    for node in source.nodes:
        for host in _hosts_listened_on(node):
            if isinstance(host, ast.Constant) and isinstance(host.value, str) and host.value not in _THIS_MACHINE:
                yield source.at(node, f"listens on {host.value!r}; use 127.0.0.1")
        if isinstance(node, ast.Constant) and node.value == _EVERY_INTERFACE and source.path != "tests/laws.py":
            yield source.at(node, f"{node.value!r} is every interface of the machine; use 127.0.0.1")


def public_objects_are_described(source: Source) -> Iterator[str]:
    """Each public module, class and function of the library has a docstring."""
    if source.package is None:
        return
    if source.text.strip() and ast.get_docstring(source.tree) is None:
        yield f"{source.path}: the module has no docstring"
    parents: list[ast.Module | ast.ClassDef] = [source.tree]
    for parent in (*parents, *(n for n in source.tree.body if isinstance(n, ast.ClassDef))):
        if isinstance(parent, ast.ClassDef) and parent.name.startswith("_"):
            continue
        for node in parent.body:
            if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                continue
            if not node.name.startswith("_") and ast.get_docstring(node) is None:
                yield source.at(node, f"{node.name} is public and has no docstring")


def _imported(source: Source) -> Iterator[tuple[ast.AST, str]]:
    for node in source.nodes:
        if isinstance(node, ast.Import):
            yield from ((node, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            module = node.module or ""
            # `from vintner import lake` imports vintner.lake
            yield from ((node, f"vintner.{a.name}") for a in node.names) if module == "vintner" else [(node, module)]


def _may_import(package: str) -> frozenset[str]:
    if package in KERNEL:
        return KERNEL[package] | {package}
    return _Everything() if package == "aws" else _EverythingButAws()


class _Everything(frozenset[str]):
    def __contains__(self, name: object) -> bool:
        return True


class _EverythingButAws(frozenset[str]):
    def __contains__(self, name: object) -> bool:
        return name != "aws"


def _reads_clock_or_dice(call: ast.Call) -> str | None:
    words = _dotted(call.func).split(".")
    name = ".".join(words[-2:])
    takes_nothing = not call.args and not call.keywords
    if name in CLOCKS or (name == "uuid4" and takes_nothing):
        return f"{name}() reads the wall clock or the system's randomness"
    return _reads_dice(call)


def _reads_dice(call: ast.Call) -> str | None:
    words = _dotted(call.func).split(".")
    takes_nothing = not call.args and not call.keywords
    if words[-1] in ("Random", "default_rng", "RandomState") and takes_nothing:
        return f"{words[-1]}()"
    if words[0] == "secrets" or "SystemRandom" in words:
        return ".".join(words)
    if words[0] == "random" and len(words) == 2 and words[1] != "Random":
        return ".".join(words)
    if words[:2] in (["np", "random"], ["numpy", "random"]) and words[-1] not in ("default_rng", "RandomState"):
        return ".".join(words)
    return None


def _hosts_listened_on(node: ast.AST) -> Iterator[ast.expr]:
    """Yield the host of ``x.bind((host, port))`` and of ``f(host=…)``."""
    if isinstance(node, ast.Call):
        if _dotted(node.func).endswith(".bind") and node.args:
            yield node.args[0].elts[0] if isinstance(node.args[0], ast.Tuple) else node.args[0]
        yield from (keyword.value for keyword in node.keywords if keyword.arg == "host")


def _docstrings(source: Source) -> set[ast.AST]:
    """Every string that stands alone as a statement: docstrings, and the notes under constants."""
    return {n.value for n in source.nodes if isinstance(n, ast.Expr) and isinstance(n.value, ast.Constant)}


def _is_docstring(node: ast.stmt) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)


def _all_names(node: ast.stmt) -> set[str] | None:
    targets = node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.AnnAssign) else []
    if not any(isinstance(target, ast.Name) and target.id == "__all__" for target in targets):
        return None
    value = node.value if isinstance(node, ast.Assign | ast.AnnAssign) else None
    return set(ast.literal_eval(value)) if value is not None else set()


def _ancestors(name: str, bases: Mapping[str, list[str]]) -> set[str]:
    found: set[str] = set()
    todo = list(bases.get(name, ()))
    while todo:
        base = todo.pop()
        if base not in found:
            found.add(base)
            todo += bases.get(base, ())
    return found


def _words(node: ast.AST) -> Iterator[str]:
    for part in ast.walk(node):
        if isinstance(part, ast.Name):
            yield part.id
        elif isinstance(part, ast.Attribute):
            yield part.attr
        elif isinstance(part, ast.Constant) and isinstance(part.value, str):
            yield part.value


def _dotted(node: ast.AST) -> str:
    """Return ``a.b.c`` for such an expression; what is not a name shows as an empty word."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        return f"{_dotted(node.value)}.{node.attr}"
    return _dotted(node.value) if isinstance(node, ast.Subscript) else ""
