"""What Spark says when it refuses, and what is said when it does not come up."""

from __future__ import annotations

from local.errors import GroundError


class SparkStartError(GroundError):
    """Spark did not come up, or ended."""

    template = "Spark ended: {reason}. The end of its log ({log}):\n{tail}"


class SparkError(GroundError):
    """Spark refused a statement.

    Parameters
    ----------
    kind
        Class of its exception, for instance ``AnalysisException``.
    message
        What it said.
    """

    template = "{kind}: {message}"
