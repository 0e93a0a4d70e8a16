"""What AWS charges in us-east-1, as data: each price with the page it was read from and that page's date.

AWS's own pricing pages fill their tables in by script, so that stored copies of them name what is charged for and not
how much; each figure is therefore from a page that quotes it. Free tiers, savings plans and taxes are left out. Look
the prices up again before relying on them: ``python -m benchmarks.stream_cost`` prints where each is from.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

REGION: Final = "us-east-1"
READ_ON: Final = "2026-11-21"
"""When the pages were read, as stored copies."""

_LAMBDA: Final = "https://cloudchipr.com/blog/aws-lambda-pricing"
_KINESIS: Final = "https://costcalculator.calculator.city/aws-kinesis-cost-calculator"
_DYNAMODB: Final = "https://airbyte.com/data-engineering-resources/dynamodb-pricing"
_S3: Final = "https://c3x.dev/blog/s3-request-fees-explained"
_UNDATED: Final = "undated"


@dataclass(frozen=True, slots=True, kw_only=True)
class Price:
    """One list price.

    Parameters
    ----------
    usd
        US dollars.
    per
        So many units of what is charged for.
    unit
        What is charged for.
    page, dated
        Where it was read, and of when that page is.
    charged_by
        AWS's page that names the unit.
    note
        What else is known of it.
    """

    usd: float
    per: int
    unit: str
    page: str
    dated: str
    charged_by: str
    note: str = ""

    def of(self, units: float) -> float:
        """Return what so many units cost, US dollars."""
        return self.usd * units / self.per


LAMBDA_GB_SECOND: Final = Price(
    usd=0.0000133334,
    per=1,
    unit="GB-second, arm64, first 7.5 billion a month",
    page=_LAMBDA,
    dated="2024",
    charged_by="https://aws.amazon.com/lambda/pricing/",
    note="the same in git.mcrn.ar/mariano/lambda_local_runner, docs/lambdas-md/lambda-13-cost.md, 2026-05-11",
)
LAMBDA_REQUEST: Final = Price(
    usd=0.20,
    per=1_000_000,
    unit="request",
    page="https://git.mcrn.ar/mariano/lambda_local_runner/src/branch/main/docs/lambdas-md/lambda-13-cost.md",
    dated="2026-05-11",
    charged_by="https://aws.amazon.com/lambda/pricing/",
)
SHARD_HOUR: Final = Price(
    usd=0.015,
    per=1,
    unit="shard hour, provisioned",
    page=_KINESIS,
    dated=_UNDATED,
    charged_by="https://aws.amazon.com/kinesis/data-streams/pricing/",
)
PUT_UNIT: Final = Price(
    usd=0.014,
    per=1_000_000,
    unit="PUT payload unit of 25 KB",
    page=_KINESIS,
    dated=_UNDATED,
    charged_by="https://aws.amazon.com/kinesis/data-streams/pricing/",
)
KEPT_SHARD_HOUR: Final = Price(
    usd=0.020,
    per=1,
    unit="shard hour of retention beyond 24 hours, up to 7 days",
    page="public notes on GitHub of AWS's price list ('Extended Data Retention (up to 7 days), per shard hour')",
    dated=_UNDATED,
    charged_by="https://aws.amazon.com/kinesis/data-streams/pricing/",
    note="in addition to the shard hour; no dated page was found",
)
WRITE_UNIT: Final = Price(
    usd=0.625,
    per=1_000_000,
    unit="write request unit of 1 KB, on demand",
    page=_DYNAMODB,
    dated="2025-07-21",
    charged_by="https://aws.amazon.com/dynamodb/pricing/on-demand/",
    note="since the reduction of November 2024",
)
READ_UNIT: Final = Price(
    usd=0.125,
    per=1_000_000,
    unit="read request unit of 4 KB, on demand",
    page=_DYNAMODB,
    dated="2025-07-21",
    charged_by="https://aws.amazon.com/dynamodb/pricing/on-demand/",
)
S3_PUT: Final = Price(
    usd=0.005,
    per=1_000,
    unit="PUT, COPY, POST or LIST, S3 Standard",
    page=_S3,
    dated=_UNDATED,
    charged_by="https://aws.amazon.com/s3/pricing/",
)
S3_GET: Final = Price(
    usd=0.0004,
    per=1_000,
    unit="GET or HEAD, S3 Standard",
    page=_S3,
    dated=_UNDATED,
    charged_by="https://aws.amazon.com/s3/pricing/",
)

PRICES: Final = {
    "Lambda": (LAMBDA_GB_SECOND, LAMBDA_REQUEST),
    "Kinesis": (SHARD_HOUR, KEPT_SHARD_HOUR, PUT_UNIT),
    "DynamoDB": (WRITE_UNIT, READ_UNIT),
    "S3": (S3_PUT, S3_GET),
}
"""Every price that is used, by service."""
