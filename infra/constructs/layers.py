"""The layers a function stands on: the library, and the packages it needs."""

from __future__ import annotations

from functools import cache
from typing import Final

from aws_cdk import (
    AssetHashType,
    BundlingOptions,
    CfnRule,
    CfnRuleAssertion,
    DockerImage,
    Fn,
    Stack,
    aws_lambda,
)
from constructs import Construct

from infra import paths
from infra.bundling import LayerBundler, fingerprint
from infra.environments import Architecture, Environment
from infra.kernel import build_all, file_name
from infra.shared import Shared

RUNTIME: Final = aws_lambda.Runtime.PYTHON_3_13
GENERATED: Final = ("**/__pycache__", "**/*.pyc", "**/*.egg-info")
"""What no asset carries: it differs from machine to machine."""


class Layers(Construct):
    """The layers of one stack's functions.

    Each stack has its own: a layer's ARN holds its version, and a stack whose template names another stack's output
    is not deployed again when only that output changes.

    Attributes
    ----------
    versions
        What to give to a function, in order.
    """

    versions: tuple[aws_lambda.ILayerVersion, ...]

    def __init__(self, scope: Construct, construct_id: str, *, shared: Shared, owner: str) -> None:
        super().__init__(scope, construct_id)
        self._shared = shared
        self._owner = owner
        library = self._layer("Library", "library", "The library vintner.", self._library())
        if shared.environment.bundle_dependencies:
            packages = self._layer("Dependencies", "dependencies", "Locked packages.", self._dependencies())
            self.versions = (library, packages)
            self._refuse_deployment_unless_built()
        else:
            self.versions = (library,)

    def _layer(self, construct_id: str, name: str, description: str, code: aws_lambda.Code) -> aws_lambda.LayerVersion:
        return aws_lambda.LayerVersion(
            self,
            construct_id,
            layer_version_name=self._shared.names.of(self._owner, name),
            description=description,
            code=code,
            compatible_runtimes=[RUNTIME],
            compatible_architectures=[lambda_architecture(self._shared.environment.architecture)],
        )

    def _refuse_deployment_unless_built(self) -> None:
        if Stack.of(self).bundling_required:
            return
        unbuilt = "This template was synthesised without building its dependency layer: synthesise it again with it."
        CfnRule(
            self,
            "Built",
            assertions=[CfnRuleAssertion(assert_=Fn.condition_equals("skipped", "built"), assert_description=unbuilt)],
        )

    def _library(self) -> aws_lambda.Code:
        kernel = kernel_file(self._shared.environment)
        if self._shared.environment.bundle_dependencies and Stack.of(self).bundling_required:
            compile_kernels(self._shared.environment.architecture)
        others = {path.name for path in paths.LIBRARY_LAYER.glob("**/kernel/kernel-*")} - {kernel}
        return aws_lambda.Code.from_asset(
            str(paths.LIBRARY_LAYER), exclude=[*GENERATED, *(f"**/{name}" for name in sorted(others))]
        )

    def _dependencies(self) -> aws_lambda.Code:
        architecture = self._shared.environment.architecture
        return aws_lambda.Code.from_asset(
            str(paths.STRIP_LIST.parent),
            asset_hash=fingerprint(architecture),
            asset_hash_type=AssetHashType.CUSTOM,
            bundling=BundlingOptions(
                image=DockerImage.from_registry("unused: bundling is local"), local=LayerBundler(architecture)
            ),
        )


@cache
def compile_kernels(architecture: Architecture) -> None:
    """Compile the library's kernels for Lambda, once however many stacks carry them."""
    build_all("linux", architecture)


def kernel_file(environment: Environment) -> str:
    """Return the file name of the kernels that an environment's functions load: Lambda's, or this machine's."""
    return file_name("linux", environment.architecture) if environment.bundle_dependencies else file_name()


def lambda_architecture(architecture: Architecture) -> aws_lambda.Architecture:
    """Return CDK's name for an architecture."""
    return {
        Architecture.ARM64: aws_lambda.Architecture.ARM_64,
        Architecture.X86_64: aws_lambda.Architecture.X86_64,
    }[architecture]
