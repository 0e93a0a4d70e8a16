"""The laws hold for the project, and each can be broken."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

import pytest

from local.addresses import find_addresses
from local.check import tracked_files
from local.ground.config import PROJECT
from tests import laws
from tests.laws import Source

# Runs before anything is installed, so it cannot derive from an error of the library.
_STANDS_ALONE = {"local/bootstrap.py"}

LIBRARY = "layers/vintner/python/vintner"

FileLaw = Callable[[Source], Iterator[str]]
ProjectLaw = Callable[[Iterable[Source]], Iterator[str]]

FILE_LAWS: tuple[FileLaw, ...] = (
    laws.imports_point_inward,
    laws.only_aws_knows_boto,
    laws.library_is_light,
    laws.no_clock_and_no_dice,
    laws.tests_throw_seeded_dice,
    laws.init_only_exports,
    laws.files_are_short,
    laws.functions_are_short,
    laws.platform_knows_no_ground,
    laws.binds_this_machine_only,
    laws.public_objects_are_described,
)
PROJECT_LAWS: tuple[ProjectLaw, ...] = (laws.subjects_form_no_cycle, laws.errors_have_one_root)


@pytest.fixture(scope="module")
def sources() -> list[Source]:
    found = laws.read_sources(PROJECT, tracked_files())
    assert any(source.package == "bitemporal" for source in found), "the library was not found"
    return found


@pytest.mark.parametrize("law", FILE_LAWS, ids=lambda law: law.__name__)
def test_every_file_keeps_the_law(law: FileLaw, sources: list[Source]) -> None:
    broken = [what for source in sources for what in law(source)]
    assert not broken, f"{law.__doc__}\n" + "\n".join(broken)


@pytest.mark.parametrize("law", PROJECT_LAWS, ids=lambda law: law.__name__)
def test_the_project_keeps_the_law(law: ProjectLaw, sources: list[Source]) -> None:
    broken = list(law([source for source in sources if source.path not in _STANDS_ALONE]))
    assert not broken, f"{law.__doc__}\n" + "\n".join(broken)


def test_no_file_names_a_package_index_or_a_machine() -> None:
    assert list(find_addresses(PROJECT, tracked_files())) == []


BREAKS: list[tuple[FileLaw, str, str]] = [
    (laws.imports_point_inward, f"{LIBRARY}/bitemporal/x.py", "from vintner.lake.model import Dataset"),
    (laws.imports_point_inward, f"{LIBRARY}/lake/x.py", "from vintner import features"),
    (laws.imports_point_inward, f"{LIBRARY}/features/x.py", "import vintner.aws.online"),
    (laws.imports_point_inward, f"{LIBRARY}/aws/x.py", "from local.ground import Ground"),
    (laws.only_aws_knows_boto, f"{LIBRARY}/lake/x.py", "def f():\n    import boto3"),
    (laws.only_aws_knows_boto, f"{LIBRARY}/features/x.py", "from botocore.config import Config"),
    (laws.library_is_light, f"{LIBRARY}/aws/x.py", "import pandas as pd"),
    (laws.no_clock_and_no_dice, f"{LIBRARY}/lake/x.py", "x = datetime.now(UTC)"),
    (laws.no_clock_and_no_dice, f"{LIBRARY}/lake/x.py", "x = datetime.datetime.utcnow()"),
    (laws.no_clock_and_no_dice, f"{LIBRARY}/lake/x.py", "x = time.time()"),
    (laws.no_clock_and_no_dice, f"{LIBRARY}/lake/x.py", "x = uuid.uuid4()"),
    (laws.no_clock_and_no_dice, f"{LIBRARY}/lake/x.py", "x = random.choice(y)"),
    (laws.no_clock_and_no_dice, f"{LIBRARY}/lake/x.py", "x = Random()"),
    (laws.no_clock_and_no_dice, f"{LIBRARY}/features/x.py", "SQL = 'select now()'"),
    (laws.no_clock_and_no_dice, "infra/stacks/x.py", "x = date.today()"),
    (laws.tests_throw_seeded_dice, "tests/unit/x.py", "x = np.random.normal(3)"),
    (laws.tests_throw_seeded_dice, "tests/unit/x.py", "x = numpy.random.default_rng()"),
    (laws.init_only_exports, f"{LIBRARY}/lake/__init__.py", "X = 1"),
    (laws.init_only_exports, f"{LIBRARY}/lake/__init__.py", "from vintner.lake.model import Dataset"),
    (laws.init_only_exports, f"{LIBRARY}/lake/__init__.py", "__all__ = ['A']\nfrom vintner.x import A, B"),
    (laws.files_are_short, "local/x.py", "x = 1\n" * 400),
    (laws.files_are_short, "tests/unit/x.py", "x = 1\n" * 600),
    (laws.functions_are_short, "local/x.py", "def f():\n" + "    x = 1\n" * 39),
    (laws.platform_knows_no_ground, f"{LIBRARY}/aws/x.py", "if is_local: x = 1"),
    (laws.platform_knows_no_ground, "functions/a/handler.py", "x = 1 if settings.environment == 'laptop' else 2"),
    (laws.platform_knows_no_ground, "infra/stacks/x.py", "match env:\n    case 'laptop': x = 1"),
    (laws.binds_this_machine_only, "tests/unit/x.py", "s.bind(('', 0))"),
    (laws.binds_this_machine_only, "local/x.py", "serve(host='0.0.0.0')"),
    (laws.public_objects_are_described, f"{LIBRARY}/lake/x.py", '"""M."""\ndef f(): return 1'),
    (
        laws.public_objects_are_described,
        f"{LIBRARY}/lake/x.py",
        '"""M."""\nclass A:\n    """A."""\n    def f(self): ...',
    ),
    (laws.public_objects_are_described, f"{LIBRARY}/lake/x.py", "x = 1"),
]

KEEPS: list[tuple[FileLaw, str, str]] = [
    (laws.imports_point_inward, f"{LIBRARY}/features/x.py", "from vintner.marketdata.datasets import D"),
    (laws.imports_point_inward, f"{LIBRARY}/aws/x.py", "from vintner.features import x"),
    (laws.imports_point_inward, "functions/a/handler.py", "from vintner.aws import settings"),
    (laws.only_aws_knows_boto, f"{LIBRARY}/aws/x.py", "import boto3"),
    (laws.no_clock_and_no_dice, f"{LIBRARY}/aws/x.py", "x = datetime.now(UTC)"),
    (laws.no_clock_and_no_dice, f"{LIBRARY}/lake/x.py", '"""Never call now()."""\nx = Random(7)\ny = a.now'),
    (laws.tests_throw_seeded_dice, "tests/unit/x.py", "x = numpy.random.default_rng(7)"),
    (laws.init_only_exports, "local/__init__.py", '"""L."""\nfrom local.a import B\n\n__all__ = ["B"]'),
    (laws.functions_are_short, "local/x.py", 'def f():\n    """T.\n' + "\n" * 90 + '    """\n    return 1'),
    (laws.platform_knows_no_ground, "infra/stacks/x.py", "if environment.bundle_dependencies: x = localize"),
    (laws.binds_this_machine_only, "tests/unit/x.py", "s.bind(('127.0.0.1', 0))\ntable.bind(x)"),
    (laws.public_objects_are_described, f"{LIBRARY}/lake/x.py", '"""M."""\ndef _f(): return 1'),
]


def _name(value: object) -> str | None:
    return getattr(value, "__name__", None)


@pytest.mark.parametrize(("law", "path", "text"), BREAKS, ids=_name)
def test_a_broken_law_is_seen(law: FileLaw, path: str, text: str) -> None:
    assert list(law(Source(path, text)))


@pytest.mark.parametrize(("law", "path", "text"), KEEPS, ids=_name)
def test_a_kept_law_is_silent(law: FileLaw, path: str, text: str) -> None:
    assert list(law(Source(path, text))) == []


def test_a_cycle_of_packages_is_seen() -> None:
    one = Source(f"{LIBRARY}/features/x.py", "import vintner.marketdata.y")
    other = Source(f"{LIBRARY}/marketdata/y.py", "from vintner.features import x")
    assert list(laws.subjects_form_no_cycle([one, other]))
    assert list(laws.subjects_form_no_cycle([one])) == []


@pytest.mark.parametrize(
    "text",
    [
        "class LostError(Exception): ...",
        "class Lost(VintnerError): ...",
        "class LostError(ValueError): ...",
        "class LostError(VintnerError): ...\nclass LostError(VintnerError): ...",
    ],
)
def test_an_error_outside_the_family_is_seen(text: str) -> None:
    root = Source(f"{LIBRARY}/errors.py", "class VintnerError(Exception): ...")
    assert list(laws.errors_have_one_root([root, Source("local/x.py", text)]))


def test_errors_of_the_family_are_silent() -> None:
    root = Source(f"{LIBRARY}/errors.py", "class VintnerError(Exception): ...")
    family = "class AError(VintnerError, ValueError): ...\nclass BError(AError): ...\nclass Plain: ..."
    assert list(laws.errors_have_one_root([root, Source("local/x.py", family)])) == []


@pytest.mark.parametrize(
    "line",
    ["https://pypi" + ".org/project/x", "uv pip compile --index" + "-url https://x", "open('/ho" + "me/ada/data')"],
)
def test_an_address_is_seen(tmp_path, line: str) -> None:
    (tmp_path / "a.txt").write_text(f"first\n{line}\n")
    assert [found.split(":")[:2] for found in find_addresses(tmp_path, [(tmp_path / "a.txt").relative_to(tmp_path)])]
