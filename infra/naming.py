"""Every deterministic name, formed once.

Names do not depend on what another stack answers, so a stack can be deployed, repaired or rebuilt in another region
while the rest is down. Only the encryption key has no name of its own; it crosses stacks as a weak reference.
"""

from __future__ import annotations

from dataclasses import dataclass

from infra.environments import Environment
from vintner.messaging.streams import Stream


@dataclass(frozen=True, slots=True)
class Names:
    """Names and ARNs of one environment.

    Parameters
    ----------
    environment
        The environment.
    account
        Account the stack is in: twelve digits, or CDK's placeholder for them.

    Examples
    --------
    >>> from infra.environments import get
    >>> names = Names(get("laptop"), "000000000000")
    >>> names.lake_bucket, names.glue_database
    ('vintner-laptop-lake-000000000000-eu-west-1', 'vintner_laptop')
    """

    environment: Environment
    account: str

    def of(self, *parts: str) -> str:
        """Return ``vintner-{environment}-{parts}``."""
        return "-".join(("vintner", self.environment.name, *parts))

    def role(self, purpose: str) -> str:
        """Return a role's name; roles are global, so it ends with the region."""
        return self.of(purpose, self.environment.region)

    def bucket(self, purpose: str) -> str:
        """Return a bucket's name; buckets are global, so it ends with account and region."""
        return self.of(purpose, self.account, self.environment.region)

    def log_group(self, function: str) -> str:
        """Return the log group of a function."""
        return f"/aws/lambda/{self.of(function)}"

    def service_log_group(self, purpose: str) -> str:
        """Return a log group that an AWS service delivers to."""
        return f"/aws/vendedlogs/vintner/{self.environment.name}/{purpose}"

    @property
    def lake_bucket(self) -> str:
        """Bucket of the Iceberg tables."""
        return self.bucket("lake")

    @property
    def athena_bucket(self) -> str:
        """Bucket of query results."""
        return self.bucket("athena")

    @property
    def dead_letters_bucket(self) -> str:
        """Bucket of what functions could not process, with payloads."""
        return self.bucket("dead-letters")

    @property
    def state_bucket(self) -> str:
        """Bucket of the processors' snapshots."""
        return self.bucket("state")

    @property
    def drop_bucket(self) -> str:
        """Bucket that files to be taken in are dropped into."""
        return self.bucket("drop")

    @property
    def access_logs_bucket(self) -> str:
        """Bucket of the other buckets' access logs."""
        return self.bucket("access-logs")

    @property
    def warehouse(self) -> str:
        """Location the Iceberg tables are under."""
        return f"s3://{self.lake_bucket}/lake"

    @property
    def glue_database(self) -> str:
        """Glue database of the lake."""
        return f"vintner_{self.environment.name}"

    @property
    def workgroup(self) -> str:
        """Athena workgroup."""
        return f"vintner-{self.environment.name}"

    @property
    def online_table(self) -> str:
        """DynamoDB table of the online store."""
        return self.of("online")

    @property
    def positions_table(self) -> str:
        """DynamoDB table of where each processor is in its stream."""
        return self.of("positions")

    @property
    def ledger_table(self) -> str:
        """DynamoDB table of the ids of orders and fills that are claimed."""
        return self.of("ledger")

    @property
    def letters_table(self) -> str:
        """DynamoDB table of dead letters and what became of them."""
        return self.of("dead-letters")

    def table_arn(self, table: str) -> str:
        """Return the ARN of a DynamoDB table."""
        return self.arn("dynamodb", f"table/{table}")

    def stream(self, stream: Stream) -> str:
        """Return the Kinesis stream of a declared stream."""
        return self.of(stream.resource_name)

    def stream_arn(self, stream: str) -> str:
        """Return the ARN of a Kinesis stream by its name after ``vintner-{environment}-``."""
        return self.arn("kinesis", f"stream/{self.of(stream)}")

    def function(self, folder: str) -> str:
        """Return the function that a folder of ``functions/`` becomes."""
        return self.of(folder.replace("_", "-"))

    def function_arn(self, folder: str) -> str:
        """Return the ARN of the function that a folder of ``functions/`` becomes."""
        return self.arn("lambda", f"function:{self.function(folder)}")

    @property
    def alarms_topic_arn(self) -> str:
        """ARN of the topic alarms speak to."""
        return self.arn("sns", self.of("alarms"))

    @property
    def metrics_namespace(self) -> str:
        """CloudWatch namespace of the metrics our own code writes; environments may share an account."""
        return f"Vintner/{self.environment.name}"

    def variables(self) -> dict[str, str]:
        """Return the variables that tell a process where the things of this environment are."""
        return {
            "VINTNER_ENVIRONMENT": self.environment.name,
            "VINTNER_GLUE_DATABASE": self.glue_database,
            "VINTNER_WAREHOUSE": self.warehouse,
            "VINTNER_ONLINE_TABLE": self.online_table,
            "VINTNER_POSITIONS_TABLE": self.positions_table,
            "VINTNER_LEDGER_TABLE": self.ledger_table,
            "VINTNER_LETTERS_TABLE": self.letters_table,
            "VINTNER_STATE_BUCKET": self.state_bucket,
            "VINTNER_DEAD_LETTERS_BUCKET": self.dead_letters_bucket,
            "VINTNER_DROP_BUCKET": self.drop_bucket,
        }

    def arn(self, service: str, resource: str) -> str:
        """Return the ARN of a resource in this environment's account and region."""
        return f"arn:aws:{service}:{self.environment.region}:{self.account}:{resource}"
