"""What batch jobs are asked for: their arguments, parsed and refused before anything runs, and the SQL they run."""

from vintner.jobs.as_of_join import JoinRequest, SourceRequest
from vintner.jobs.errors import JobArgumentError

__all__ = ["JobArgumentError", "JoinRequest", "SourceRequest"]
