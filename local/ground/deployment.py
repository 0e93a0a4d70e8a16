"""Where the parts of a deployed platform are, by the names its templates give them."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Protocol

from infra.environments import get
from infra.naming import Names
from local.errors import NotDeployedError
from vintner.messaging.streams import STREAMS, stream_named


class ApiLookup(Protocol):
    """The part of an API Gateway v2 client that is needed here."""

    def get_paginator(self, operation_name: str) -> Any:
        """Return a paginator of an operation."""
        ...


@dataclass(frozen=True, kw_only=True, slots=True)
class Deployment:
    """Names and addresses of one deployment.

    Every name follows from the environment, the account and the region; only the API's address is looked up.
    """

    environment: str
    account: str
    region: str
    api_url: str

    @property
    def names(self) -> Names:
        """The names its templates give."""
        return Names(get(self.environment), self.account)

    @property
    def market_stream(self) -> str:
        """Stream of market data."""
        return self.names.of("market-data")

    @property
    def macro_stream(self) -> str:
        """Stream of macro data."""
        return self.names.of("macro-data")

    @property
    def market_function(self) -> str:
        """Function that lands market data."""
        return self.names.of("market-data-processor")

    @property
    def macro_function(self) -> str:
        """Function that lands macro data."""
        return self.names.of("macro-data-processor")

    @property
    def api_function(self) -> str:
        """Function behind the HTTP API."""
        return self.names.of("features-api")

    @property
    def maintenance_function(self) -> str:
        """Function that maintains the lake; its schedule has the same name."""
        return self.names.of("lake-maintenance")

    @property
    def glue_database(self) -> str:
        """Database of the catalog."""
        return self.names.glue_database

    @property
    def lake_bucket(self) -> str:
        """Bucket of the Iceberg tables."""
        return self.names.lake_bucket

    @property
    def warehouse(self) -> str:
        """Location of the Iceberg tables."""
        return self.names.warehouse

    @property
    def athena_bucket(self) -> str:
        """Bucket of query results."""
        return self.names.athena_bucket

    @property
    def dead_letters_bucket(self) -> str:
        """Bucket of deliveries that no processor could land."""
        return self.names.dead_letters_bucket

    @property
    def state_bucket(self) -> str:
        """Bucket of the processors' snapshots."""
        return self.names.state_bucket

    @property
    def drop_bucket(self) -> str:
        """Bucket that files to be taken in are dropped into."""
        return self.names.drop_bucket

    @property
    def workgroup(self) -> str:
        """Athena workgroup."""
        return self.names.workgroup

    @property
    def online_table(self) -> str:
        """DynamoDB table of the online store."""
        return self.names.online_table

    @property
    def positions_table(self) -> str:
        """DynamoDB table of where each processor is in its stream."""
        return self.names.positions_table

    @property
    def ledger_table(self) -> str:
        """DynamoDB table of the ids of orders and fills that are claimed."""
        return self.names.ledger_table

    @property
    def letters_table(self) -> str:
        """DynamoDB table of dead letters."""
        return self.names.letters_table

    def stream(self, name: str) -> str:
        """Return the Kinesis stream of a declared stream.

        Examples
        --------
        >>> found = Deployment(environment="laptop", account="000000000000", region="eu-west-1", api_url="https://x")
        >>> found.stream("market_data.trades"), found.function("trades_lander")
        ('vintner-laptop-market-data-trades', 'vintner-laptop-trades-lander')
        """
        return self.names.stream(stream_named(name))

    def function(self, folder: str) -> str:
        """Return the function that a folder of ``functions/`` becomes."""
        return self.names.function(folder)

    def settings(self) -> dict[str, str]:
        """Return the variables by which the library's commands find this deployment."""
        return {
            **self.names.variables(),
            "AWS_REGION": self.region,
            "AWS_DEFAULT_REGION": self.region,
        }

    def as_dict(self) -> dict[str, str]:
        """Return every name and address, for reports."""
        own = [name for name, value in vars(type(self)).items() if isinstance(value, property) and name != "names"]
        streams = {
            f"{stream.resource_name.replace('-', '_')}_stream": self.stream(stream.name) for stream in STREAMS.values()
        }
        return {**asdict(self), **{name: str(getattr(self, name)) for name in own}, **streams}


def find_api(client: ApiLookup, environment: str) -> tuple[str, str]:
    """Return the id and the address of the environment's HTTP API.

    Raises
    ------
    NotDeployedError
        There is no such API.
    """
    wanted = f"vintner-{environment}-features"
    for page in client.get_paginator("get_apis").paginate():
        for api in page["Items"]:
            if api["Name"] == wanted:
                return str(api["ApiId"]), str(api["ApiEndpoint"])
    raise NotDeployedError(what=f"HTTP API {wanted}", environment=environment)
