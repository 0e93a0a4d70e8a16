"""The laptop ground: everything that stands in for an AWS account on one machine."""

__all__: list[str] = []
