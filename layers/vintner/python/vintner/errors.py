"""The one root of every error the platform raises."""

from __future__ import annotations

from typing import Any, ClassVar


class VintnerError(Exception):
    """Root of every error of the platform.

    A subclass states its message once, as a template, and is raised with the data that fills it. The data
    stays on the error as attributes, so a caller never has to parse the text.

    Parameters
    ----------
    **data
        Values for the fields of :attr:`template`. A missing field is a programming error and fails at once.

    Examples
    --------
    >>> class UnknownSeriesError(VintnerError):
    ...     template = "series {series!r} is not declared; declare it in {where}"
    >>> error = UnknownSeriesError(series="gdp", where="datasets.py")
    >>> str(error), error.data["series"]
    ("series 'gdp' is not declared; declare it in datasets.py", 'gdp')
    """

    template: ClassVar[str] = "{message}"

    def __init__(self, **data: Any) -> None:
        self.data = data
        super().__init__(self.template.format(**data))

    def __reduce__(self) -> tuple[Any, ...]:
        return _rebuild, (type(self), self.data)

    def __getattr__(self, name: str) -> Any:
        data = self.__dict__.get("data", {})
        if name in data:
            return data[name]
        raise AttributeError(name)


def _rebuild(kind: type[VintnerError], data: dict[str, Any]) -> VintnerError:
    return kind(**data)
