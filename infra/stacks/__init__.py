"""One stack per capability."""

from infra.stacks.api import ApiStack
from infra.stacks.base import CapabilityStack
from infra.stacks.features import FeaturesStack
from infra.stacks.foundation import FoundationStack
from infra.stacks.lake import LakeStack
from infra.stacks.maintenance import MaintenanceStack
from infra.stacks.streaming import StreamingStack

__all__ = [
    "ApiStack",
    "CapabilityStack",
    "FeaturesStack",
    "FoundationStack",
    "LakeStack",
    "MaintenanceStack",
    "StreamingStack",
]
