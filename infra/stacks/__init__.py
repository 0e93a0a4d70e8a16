"""One stack per capability."""

from infra.stacks.api import ApiStack
from infra.stacks.base import CapabilityStack
from infra.stacks.features import FeaturesStack
from infra.stacks.foundation import FoundationStack
from infra.stacks.ingress import IngressStack
from infra.stacks.lake import LakeStack
from infra.stacks.landing import LandingStack
from infra.stacks.maintenance import MaintenanceStack
from infra.stacks.processing import ProcessingStack
from infra.stacks.recovery import RecoveryStack
from infra.stacks.streaming import StreamingStack
from infra.stacks.trading import TradingStack

__all__ = [
    "ApiStack",
    "CapabilityStack",
    "FeaturesStack",
    "FoundationStack",
    "IngressStack",
    "LakeStack",
    "LandingStack",
    "MaintenanceStack",
    "ProcessingStack",
    "RecoveryStack",
    "StreamingStack",
    "TradingStack",
]
