"""What pyproject.toml cannot say: a wheel of the library carries the kernels compiled for its platform."""

import sys
from pathlib import Path

from setuptools import Distribution, setup
from setuptools.command.build_py import build_py

sys.path.insert(0, str(Path(__file__).resolve().parent))

from infra.kernel import SOURCES, build_all


class WithKernel(build_py):
    """Compile before copying."""

    def run(self) -> None:
        """Compile for this machine, then copy as usual."""
        build_all()
        super().run()


class OfOnePlatform(Distribution):
    """A distribution whose wheel is not for every platform."""

    def has_ext_modules(self) -> bool:
        """Say yes: the kernels are for one platform."""
        return SOURCES.is_dir()


setup(cmdclass={"build_py": WithKernel}, distclass=OfOnePlatform)
