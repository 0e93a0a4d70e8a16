"""What is deployed: the layers and the functions' code."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from infra import bundling, paths
from infra.app import make_app
from infra.bundling import LayerBundler
from infra.constructs import Layers, layers
from infra.constructs.layers import kernel_file
from infra.environments import Architecture, get
from infra.named_queries import NamedQuery, NamedQueryFormError, read_named_queries
from infra.stacks import CapabilityStack, FoundationStack
from tests.infra.synthesis import SKIP_BUNDLING, Synthesis

STACKS_WITH_FUNCTIONS = 9


def test_a_function_is_its_handler_without_byte_code(synthesis: Synthesis):
    for function in synthesis.resources("AWS::Lambda::Function"):
        folder = synthesis.asset(function, "Code")
        assert (folder / "handler.py").is_file()
        assert not list(folder.rglob("__pycache__"))


def test_the_library_layer_is_the_library_under_python(synthesis: Synthesis):
    found = [layer for layer in synthesis.resources("AWS::Lambda::LayerVersion") if "Library" in layer.logical_id]
    assert len(found) == STACKS_WITH_FUNCTIONS
    for layer in found:
        folder = synthesis.asset(layer, "Content")
        assert [path.name for path in folder.iterdir()] == ["python"]
        assert [path.name for path in (folder / "python").iterdir()] == ["vintner"]
        assert (folder / "python" / "vintner" / "py.typed").is_file()
        assert not list(folder.rglob("__pycache__"))


@pytest.fixture
def library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A library with two kernels, each compiled for several platforms, and what a killed compiler left."""
    folder = tmp_path / "layer"
    for subject in ("bitemporal", "marketdata"):
        kernel = folder / "python" / "vintner" / subject / "kernel"
        kernel.mkdir(parents=True)
        for name in ("linux-aarch64.so", "linux-x86_64.so", "darwin-aarch64.dylib", "linux-aarch64.4711"):
            (kernel / f"kernel-{name}").touch()
        (kernel / "native.py").touch()
    monkeypatch.setattr(paths, "LIBRARY_LAYER", folder)
    return folder


@pytest.mark.parametrize("name", ["laptop", "dev", "prod"])
def test_the_library_layer_carries_the_kernels_of_its_architecture_and_no_other(
    name: str, library: Path, tmp_path: Path
):
    app = make_app(outdir=str(tmp_path / "out"), context=SKIP_BUNDLING, check_schemas=False)
    stack = CapabilityStack(app, environment=get(name), capability="trial", description="Layers on trial.")
    Layers(stack, "Layers", shared=FoundationStack(app, environment=get(name)).shared_with(stack), owner="trial")
    app.synth()
    [layer] = (tmp_path / "out").glob("asset.*/python")
    found = sorted(path.relative_to(layer).as_posix() for path in layer.rglob("kernel-*"))
    wanted = kernel_file(get(name))
    assert found == [f"vintner/{subject}/kernel/{wanted}" for subject in ("bitemporal", "marketdata")]
    assert name == "laptop" or wanted == "kernel-linux-aarch64.so"
    assert len(list(layer.rglob("native.py"))) == 2


def test_layers_that_are_deployed_to_an_account_have_their_kernels_compiled_once(
    library: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    compiled = []
    monkeypatch.setattr(layers, "build_all", lambda system, machine: compiled.append((system, machine)))
    monkeypatch.setattr(LayerBundler, "try_bundle", lambda self, folder, *options, **named: _made(folder))
    layers.compile_kernels.cache_clear()
    app = make_app(outdir=str(tmp_path / "out"), check_schemas=False)
    foundation = FoundationStack(app, environment=get("prod"))
    for capability in ("one", "other"):
        stack = CapabilityStack(app, environment=get("prod"), capability=capability, description="Layers on trial.")
        Layers(stack, "Layers", shared=foundation.shared_with(stack), owner=capability)
    layers.compile_kernels.cache_clear()
    assert compiled == [("linux", get("prod").architecture)]


def _made(folder: str) -> bool:
    (Path(folder) / "python").mkdir()
    return True


def test_the_dependency_layer_is_there_where_it_is_built(synthesis: Synthesis):
    found = [layer for layer in synthesis.resources("AWS::Lambda::LayerVersion") if "Dependenc" in layer.logical_id]
    assert len(found) == (STACKS_WITH_FUNCTIONS if synthesis.environment.bundle_dependencies else 0)


def test_a_template_whose_layer_was_not_built_cannot_be_deployed(synthesis: Synthesis):
    with_functions = {function.stack for function in synthesis.resources("AWS::Lambda::Function")}
    assert len(with_functions) == STACKS_WITH_FUNCTIONS
    for stack in with_functions:
        rules = synthesis.templates[stack]["Rules"]
        refusals = [
            assertion["AssertDescription"]
            for rule in rules.values()
            for assertion in rule["Assertions"]
            if assertion["Assert"] == {"Fn::Equals": ["skipped", "built"]}
        ]
        assert len(refusals) == (1 if synthesis.environment.bundle_dependencies else 0)


def test_assets_are_the_same_in_every_environment(syntheses: Mapping[str, Synthesis]):
    def codes(name: str) -> set[str]:
        functions = syntheses[name].resources("AWS::Lambda::Function")
        return {function.properties["Code"]["S3Key"] for function in functions}

    assert codes("laptop") == codes("dev") == codes("staging") == codes("prod")


def test_the_fingerprint_follows_what_determines_the_layer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    before = bundling.fingerprint(Architecture.ARM64)
    assert before == bundling.fingerprint(Architecture.ARM64)
    assert before != bundling.fingerprint(Architecture.X86_64)
    lock = tmp_path / "layer.lock"
    lock.write_bytes(paths.LAYER_LOCK.read_bytes() + b"\n")
    monkeypatch.setattr(paths, "LAYER_LOCK", lock)
    assert before != bundling.fingerprint(Architecture.ARM64)


def test_stripping_removes_what_the_list_names_and_no_more(tmp_path: Path):
    for name in ("a/keep.py", "a/tests/test_a.py", "a/b/tests/deep.py", "a/_gcsfs.so", "boto3/__init__.py"):
        path = tmp_path / "python" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("", encoding="utf-8")
    rules = tmp_path / "strip.txt"
    rules.write_text("# why\n\n**/tests\nboto3\na/_gcsfs.*\nabsent\n", encoding="utf-8")
    bundling.strip(tmp_path / "python", rules)
    left = {path.relative_to(tmp_path / "python").as_posix() for path in (tmp_path / "python").rglob("*.*")}
    assert left == {"a/keep.py"}


def test_the_strip_list_keeps_what_the_library_needs(tmp_path: Path):
    needed = [
        "pyarrow/libarrow_substrait.so.2500",
        "pyarrow/_s3fs.so",
        "pyarrow/libarrow_python.so.2500",
        "rich/table.py",
    ]
    dropped = ["pyarrow/libarrow_flight.so.2500", "pyarrow/_orc.cpython-313.so", "botocore/session.py", "bin/dmypy"]
    for name in needed + dropped:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("", encoding="utf-8")
    bundling.strip(tmp_path, paths.STRIP_LIST)
    assert {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*") if path.is_file()} == set(needed)


def test_a_layer_without_room_for_a_function_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "large.so").write_bytes(b"0" * 4096)
    assert bundling.check_size(tmp_path) == 4096
    monkeypatch.setattr(bundling, "LAMBDA_LIMIT_BYTES", 4096)
    with pytest.raises(bundling.LayerTooLargeError, match=r"add to layers/dependencies/strip\.txt"):
        bundling.check_size(tmp_path)


def test_a_lock_that_cannot_be_installed_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    lock = tmp_path / "layer.lock"
    lock.write_text("not a requirement\n", encoding="utf-8")
    monkeypatch.setattr(paths, "LAYER_LOCK", lock)
    with pytest.raises(bundling.LayerInstallError):
        bundling.install(tmp_path / "python", Architecture.ARM64)


def test_named_queries_are_read_from_their_heads(tmp_path: Path):
    (tmp_path / "b.sql").write_text("-- name: b\n-- description: Second.\nSELECT 2\n", encoding="utf-8")
    (tmp_path / "a.sql").write_text("-- name: a\n-- description: First.\n\nSELECT 1", encoding="utf-8")
    first = NamedQuery(name="a", description="First.", sql="SELECT 1\n")
    second = NamedQuery(name="b", description="Second.", sql="SELECT 2\n")
    assert read_named_queries(tmp_path) == [first, second]
    assert read_named_queries(tmp_path / "absent") == []


@pytest.mark.parametrize("content", ["SELECT 1\n", "-- name: a\nSELECT 1\n", "-- name: a\n-- description: b\n\n"])
def test_a_named_query_without_its_head_is_refused(tmp_path: Path, content: str):
    (tmp_path / "a.sql").write_text(content, encoding="utf-8")
    with pytest.raises(NamedQueryFormError):
        read_named_queries(tmp_path)
