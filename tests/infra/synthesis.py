"""One environment, synthesised: its templates as plain data."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aws_cdk import App

from infra.app import add_stacks, make_app
from infra.context import BUNDLING_STACKS
from infra.environments import Environment

SKIP_BUNDLING: dict[str, list[str]] = {BUNDLING_STACKS: []}


@dataclass(frozen=True, kw_only=True)
class Resource:
    """One resource of one template."""

    stack: str
    logical_id: str
    body: Mapping[str, Any]

    @property
    def type(self) -> str:
        return str(self.body["Type"])

    @property
    def properties(self) -> Mapping[str, Any]:
        return dict(self.body.get("Properties", {}))

    def __str__(self) -> str:
        return f"{self.stack}/{self.logical_id}"


@dataclass(frozen=True, kw_only=True)
class Synthesis:
    """The templates of an environment by the capability of their stack."""

    environment: Environment
    folder: Path
    templates: Mapping[str, Mapping[str, Any]]

    def resources(self, *types: str) -> Iterator[Resource]:
        """Every resource, or those of the given types."""
        for stack, template in self.templates.items():
            for logical_id, body in template["Resources"].items():
                if not types or body["Type"] in types:
                    yield Resource(stack=stack, logical_id=logical_id, body=body)

    @property
    def manifest(self) -> Mapping[str, Any]:
        """What the command line is told of the stacks."""
        content: Mapping[str, Any] = json.loads((self.folder / "manifest.json").read_text(encoding="utf-8"))
        return content["artifacts"]  # type: ignore[no-any-return]

    def asset(self, resource: Resource, key: str) -> Path:
        """The file or folder a resource's code is published from."""
        wanted = text(resource.properties[key]["S3Key"]).removesuffix(".zip")
        listing = self.folder / f"vintner-{self.environment.name}-{resource.stack}.assets.json"
        path = Path(json.loads(listing.read_text(encoding="utf-8"))["files"][wanted]["source"]["path"])
        return path if path.is_absolute() else self.folder / path


def synthesise(environment: Environment, folder: Path) -> Synthesis:
    """Synthesise an environment without building layers and without CloudFormation's schemas."""
    app: App = make_app(outdir=str(folder), context=SKIP_BUNDLING, check_schemas=False)
    add_stacks(app, environment)
    app.synth()
    prefix = f"vintner-{environment.name}-"
    templates = {
        path.name.removeprefix(prefix).removesuffix(".template.json"): json.loads(path.read_text(encoding="utf-8"))
        for path in sorted(folder.glob("*.template.json"))
    }
    return Synthesis(environment=environment, folder=folder, templates=templates)


def text(value: Any) -> str:
    """A template's value as text; what only the deployment knows is in angle brackets, as findings have it."""
    match value:
        case {"Fn::Join": [separator, parts]}:
            return str(separator).join(text(part) for part in parts)
        case {"Fn::Sub": str(pattern)}:
            return pattern.replace("${", "<").replace("}", ">")
        case {"Ref": str(name)}:
            return f"<{name}>"
        case {"Fn::GetAtt": [logical_id, attribute]}:
            return f"<{logical_id}.{attribute}>"
        case {"Fn::GetStackOutput": {"StackName": stack, "OutputName": output}}:
            return f"<{stack}.{output}>"
        case _:
            return str(value)


def as_list(value: Any) -> list[Any]:
    """A policy's field as a list: one thing or several."""
    return value if isinstance(value, list) else [value]


def grants(synthesis: Synthesis) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every statement that allows a role something, with the role's name."""
    for stack, template in synthesis.templates.items():
        roles = {
            logical_id: text(body["Properties"]["RoleName"])
            for logical_id, body in template["Resources"].items()
            if body["Type"] == "AWS::IAM::Role"
        }
        assert not [
            role for role in roles if {"Policies", "ManagedPolicyArns"} & set(template["Resources"][role]["Properties"])
        ], f"{stack}: a role has policies this test does not read"
        for policy in template["Resources"].values():
            if policy["Type"] == "AWS::IAM::Policy":
                [role] = policy["Properties"]["Roles"]
                for statement in policy["Properties"]["PolicyDocument"]["Statement"]:
                    yield roles[role["Ref"]], statement
