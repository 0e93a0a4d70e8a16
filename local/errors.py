"""What can go wrong on the laptop ground, each with its remedy."""

from __future__ import annotations

from vintner.errors import VintnerError


class GroundError(VintnerError):
    """Root of the errors of the laptop ground."""


class InvalidGroundConfigError(GroundError, ValueError):
    """A setting of the ground cannot be used."""

    template = "{setting} = {value} cannot be used: {reason}"


class PortTakenError(GroundError):
    """Something else listens where the ground wants to."""

    template = "Port {port} ({purpose}) is taken; free it, or choose other ports: {remedy}"


class GroundRunningElsewhereError(GroundError):
    """A ground with this state runs, but on other ports."""

    template = (
        "The ground of {state_dir} already runs on ports {port} and {athena_port}; use it there, or stop it: make down"
    )


class GroundNotRunningError(GroundError):
    """A command needs the ground, and it is not there."""

    template = "The ground of {state_dir} is not running; start it: make up"


class GroundStartError(GroundError):
    """A process of the ground did not come up."""

    template = "{process} did not become ready: {reason}. The end of its log ({log}):\n{tail}"


class GroundStopError(GroundError):
    """A process of the ground did not end in time, so its state may be incomplete."""

    template = (
        "{process} (process {pid}) did not end within {seconds:.0f} s, so it was killed and its newest state may be "
        "missing; bring the lake's tables back with: make up && .venv/bin/python -m local register"
    )


class CheckpointError(GroundError):
    """The ground did not write its state when asked."""

    template = "The ground's state was not written ({reason}); look at {log}, then stop it: make down"


class ToolMissingError(GroundError):
    """A program that a command needs is not installed."""

    template = "{tool} was not found at {path}; install it with: make env"


class StepFailedError(GroundError):
    """A command run on the way to a deployment ended with an error."""

    template = "{step} failed (exit code {code}): {command}\nThe end of its output:\n{tail}"


class NotDeployedError(GroundError):
    """The platform is not on this ground yet."""

    template = "{what} was not found; deploy the platform first: make deploy ENV={environment}"


class NotSignedInError(GroundError):
    """An account was asked for, but there are no credentials for it."""

    template = (
        "Environment {environment!r} lives in an AWS account, and {reason}; sign in first, for instance: aws sso login"
    )


class WrongAccountError(GroundError):
    """The caller is signed in to another account than the environment's."""

    template = (
        "Environment {environment!r} belongs to account {wanted}, but you are signed in to {found}; sign in to {wanted}"
    )


class ProbeError(GroundError):
    """A probe of a difference got no answer."""

    template = "{what} did not come within {seconds:.0f} s; look at the ground's log: .venv/bin/python -m local logs"
