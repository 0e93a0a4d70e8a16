"""Builds the dependency layer without Docker.

1. :func:`fingerprint` names the layer's content by what determines it: the lock file, the strip list, the platform.
   The same three give the same asset, so a deployment that changes none of them uploads nothing.
2. :meth:`LayerBundler.try_bundle` installs the locked wheels of Lambda's platform with uv, hashes required.
3. :func:`strip` removes what no function runs.
4. :func:`check_size` refuses a layer that, with the library and the largest function, exceeds Lambda's limit.
"""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import jsii
from aws_cdk import ILocalBundling

from infra import paths
from infra.environments import Architecture
from vintner.errors import VintnerError

MIB: Final = 1024 * 1024
LAMBDA_LIMIT_BYTES: Final = 250 * MIB
PYTHON_VERSION: Final = "3.13"
_PLATFORMS: Final = {
    Architecture.ARM64: "aarch64-manylinux_2_28",
    Architecture.X86_64: "x86_64-manylinux_2_28",
}


class LayerTooLargeError(VintnerError):
    """The dependency layer leaves no room for a function."""

    template = (
        "the dependency layer is {layer_mib:.1f} MiB unzipped; with the library and a function it is {total_mib:.1f} of"
        " Lambda's {limit_mib:.0f} MiB: add to {strip_list} or drop a package from requirements/layer.lock"
    )


class LayerInstallError(VintnerError):
    """uv could not install the locked wheels."""

    template = (
        "installing the dependency layer failed (exit code {code}); it needs the package index once, and"
        " `-c layers=skip` synthesises without it, to look and not to deploy: {output}"
    )


def fingerprint(architecture: Architecture) -> str:
    """Return the asset hash of the layer for an architecture: 64 hexadecimal digits.

    Examples
    --------
    >>> fingerprint(Architecture.ARM64) == fingerprint(Architecture.X86_64)
    False
    """
    digest = hashlib.sha256(f"{PYTHON_VERSION} {_PLATFORMS[architecture]}\n".encode())
    for source in (paths.LAYER_LOCK, paths.STRIP_LIST):
        digest.update(source.read_bytes())
    return digest.hexdigest()


def install(target: Path, architecture: Architecture) -> None:
    """Install the locked wheels of Lambda's platform into a folder, from uv's cache alone if it holds them.

    Raises
    ------
    LayerInstallError
        If a wheel is missing for the platform, or its hash differs.
    """
    command = [_uv(), "pip", "install", "--quiet", "--target", str(target), "--python-version", PYTHON_VERSION]
    command += ["--python-platform", _PLATFORMS[architecture], "--only-binary", ":all:", "--no-deps"]
    command += ["--link-mode", "copy", "--require-hashes", "-r", str(paths.LAYER_LOCK)]
    done = _run([*command, "--offline"])
    if done.returncode != 0:
        done = _run(command)
    if done.returncode != 0:
        raise LayerInstallError(code=done.returncode, output=done.stderr.strip())


def strip(target: Path, rules: Path) -> None:
    """Remove everything the strip list names from an installed folder.

    Parameters
    ----------
    target
        Folder the wheels were installed into.
    rules
        File of globs relative to ``target``, one a line; ``#`` begins a comment line.
    """
    for line in rules.read_text(encoding="utf-8").splitlines():
        pattern = line.strip()
        if not pattern or pattern.startswith("#"):
            continue
        for path in sorted(target.glob(pattern), reverse=True):
            if path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink(missing_ok=True)


def size(folder: Path) -> int:
    """Return the bytes of all files under a folder, byte code left out."""
    return sum(path.stat().st_size for path in _files(folder))


def check_size(layer: Path) -> int:
    """Return the layer's bytes, or refuse it.

    Raises
    ------
    LayerTooLargeError
        If the layer, the library and the largest function exceed what Lambda unpacks.
    """
    functions = [size(folder) for folder in paths.FUNCTIONS.iterdir() if folder.is_dir()]
    layer_bytes = size(layer)
    total = layer_bytes + size(paths.LIBRARY_LAYER) + max(functions, default=0)
    if total > LAMBDA_LIMIT_BYTES:
        raise LayerTooLargeError(
            layer_mib=layer_bytes / MIB,
            total_mib=total / MIB,
            limit_mib=LAMBDA_LIMIT_BYTES / MIB,
            strip_list=paths.STRIP_LIST.relative_to(paths.ROOT),
        )
    return layer_bytes


def build(output: Path, architecture: Architecture) -> int:
    """Build the layer's content into ``output`` (``python/`` at its root) and return its bytes."""
    target = output / "python"
    install(target, architecture)
    strip(target, paths.STRIP_LIST)
    return check_size(output)


@jsii.implements(ILocalBundling)
class LayerBundler:
    """CDK's hook into :func:`build`."""

    def __init__(self, architecture: Architecture) -> None:
        self._architecture = architecture

    def try_bundle(self, output_dir: str, *_options: Any, **_named_options: Any) -> bool:
        """Build into ``output_dir``; always done here, never by Docker."""
        build(Path(output_dir), self._architecture)
        return True


def _files(folder: Path) -> Iterator[Path]:
    return (path for path in folder.rglob("*") if path.is_file() and "__pycache__" not in path.parts)


def _run(command: list[str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, capture_output=True, text=True, check=False)


def _uv() -> str:
    beside = Path(sys.executable).parent / "uv"
    return str(beside) if beside.exists() else "uv"
