"""One stack per capability."""

from infra.stacks.api import ApiStack
from infra.stacks.base import CapabilityStack
from infra.stacks.dead_letters import DeadLettersStack
from infra.stacks.features import FeaturesStack
from infra.stacks.foundation import FoundationStack
from infra.stacks.gaps import GapsStack
from infra.stacks.ingress import IngressStack
from infra.stacks.lake import LakeStack
from infra.stacks.landing import LandingStack
from infra.stacks.maintenance import MaintenanceStack
from infra.stacks.processing import ProcessingStack
from infra.stacks.streaming import StreamingStack
from infra.stacks.trading import TradingStack

__all__ = [
    "ApiStack",
    "CapabilityStack",
    "DeadLettersStack",
    "FeaturesStack",
    "FoundationStack",
    "GapsStack",
    "IngressStack",
    "LakeStack",
    "LandingStack",
    "MaintenanceStack",
    "ProcessingStack",
    "StreamingStack",
    "TradingStack",
]
