"""How the laptop ground differs from an account: every difference with its reason, as data.

A difference that can be looked at carries a probe. A test runs the probes against a ground and fails when one no
longer finds its difference: then the entry goes, and with it whatever stood in for the missing behaviour.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Final

from infra.environments import get
from local import mapping_probes, probes
from local.ground.ground import Ground

Probe = Callable[[Ground], bool]
"""Looks at a running ground; returns whether the difference is still there. Leaves nothing behind."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Difference:
    """One way in which the laptop ground is not an account.

    Parameters
    ----------
    id
        Short name, unique.
    what
        What is different.
    reason
        Why it is so.
    judged_by
        What shows instead that the platform does the right thing in an account.
    probe
        Tells whether the difference is still there; None when nothing short of an account could tell.
    """

    id: str
    what: str
    reason: str
    judged_by: str
    probe: Probe | None = None


_MINISTACK: Final = "MiniStack does not do this"

_STATED: Final = (
    Difference(
        id="kinesis-partial-batch",
        what="A mapping takes a returned list of failed records for full success.",
        reason=f"{_MINISTACK} for Kinesis; it does for SQS.",
        judged_by="Processors raise for what must be tried again and never return failures; tests with events of ours.",
        probe=mapping_probes.ignores_partial_batches,
    ),
    Difference(
        id="kinesis-retry-attempts",
        what="A failing batch is tried for ever: retry attempts, record age and on-failure destination do nothing.",
        reason=f"{_MINISTACK}: the mapping's position moves only after a success.",
        judged_by="The templates are tested for all three; bad records never raise, so a batch fails only while "
        "something it needs is down.",
        probe=mapping_probes.ignores_retry_attempts,
    ),
    Difference(
        id="kinesis-bisect",
        what="A failing batch is never split.",
        reason=f"{_MINISTACK}; the setting is stored.",
        judged_by="The templates are tested for the setting; landing is tested with every split of a batch.",
        probe=mapping_probes.ignores_bisect,
    ),
    Difference(
        id="kinesis-batching-window",
        what="A batch is delivered at once, however small; the batching window does nothing.",
        reason=f"{_MINISTACK}; only waiting could show it, and no test of ours waits for a clock.",
        judged_by="Landing is tested with batches of every size.",
    ),
    Difference(
        id="kinesis-resharding",
        what="A mapping reads a shard that a split made from its end, not from its beginning, and does not wait for "
        "the parent to be read out.",
        reason=f"{_MINISTACK}: a shard it has not seen yet counts as read so far.",
        judged_by="A consumer's state follows a lane from shard to shard by what the stream holds; tests with a stream "
        "service in memory that splits while it is read.",
        probe=mapping_probes.skips_what_a_new_shard_held,
    ),
    Difference(
        id="kinesis-serial-mappings",
        what="Mappings are served one after another: a slow function keeps every other waiting.",
        reason="MiniStack polls all of them in one thread and waits for each call; only time could show it.",
        judged_by="Speed is claimed by benchmarks of the library alone; nothing relies on who is called first.",
    ),
    Difference(
        id="function-memory",
        what="A function's log says that it used no memory, so the alarms on memory stay silent.",
        reason=f"{_MINISTACK}: the number in the last line of a call is always 0.",
        judged_by="The templates are tested for the filter and the alarm of every function.",
    ),
    Difference(
        id="dynamodb-leading-keys",
        what="A role that may reach items by their leading key alone reaches every item of the table.",
        reason=f"{_MINISTACK}: the condition key is not set, so a condition for all its values holds.",
        judged_by="The templates are tested: each processor is kept to its own positions.",
        probe=probes.shows_items_of_other_owners,
    ),
    Difference(
        id="schedules",
        what="A schedule calls at once when it is due, with no window, no role and no second try.",
        reason=f"{_MINISTACK}; the settings are stored, and only waiting could show it.",
        judged_by="The templates are tested for all three; a schedule that is due is seen to reach its function.",
    ),
    Difference(
        id="role-trust",
        what="Whoever asks may assume any role, trusted or not.",
        reason=f"{_MINISTACK}; what a role may do is enforced.",
        judged_by="The templates are tested: each role is trusted by one service.",
        probe=probes.lets_anyone_assume_a_role,
    ),
    Difference(
        id="athena-sql",
        what="Athena is an endpoint of ours: Athena's SQL translated for DuckDB, over PyIceberg scans, or real Trino.",
        reason="MiniStack's Athena runs DuckDB's own dialect and sees no Iceberg table through the Glue catalog.",
        judged_by="The same questions are asked of the library, the HTTP API and Athena, and compared cell by cell; "
        "`make conformance` compares the translation with real Trino, function by function.",
        probe=probes.athena_speaks_another_dialect,
    ),
    Difference(
        id="last-digit",
        what="The last digit of exp, ln, log and power, and of long sums of floats, may be another.",
        reason="No engine rounds these rightly, and each adds in an order of its own.",
        judged_by="`make conformance` holds the difference to two units in the last place.",
    ),
    Difference(
        id="glue-spark",
        what="Glue jobs run on a local Spark session with fewer tasks and without Glue's own libraries.",
        reason="MiniStack runs no Spark.",
        judged_by="A job is a plain Spark program whose settings come from outside; `make conformance` runs it.",
    ),
    Difference(
        id="sagemaker",
        what="There is no SageMaker.",
        reason="MiniStack does not have the service.",
        judged_by="Nothing the platform deploys today needs it.",
        probe=probes.lacks_sagemaker,
    ),
    Difference(
        id="glue-iceberg-tables",
        what="A table created through Glue as Iceberg has no Iceberg metadata.",
        reason="MiniStack stores the request and writes no metadata file.",
        judged_by="No template declares a table: one migration makes them from the library's schemas on both grounds.",
        probe=probes.glue_makes_no_iceberg_metadata,
    ),
    Difference(
        id="function-runtime",
        what="Functions run on the Python and the packages that run the ground, not on Lambda's image and our layer.",
        reason="MiniStack starts a worker of its own interpreter when there is no container engine, so the layer of "
        "packages is not built for the laptop.",
        judged_by="The layer is built and weighed by itself, from a lock that is made for Lambda's Python.",
        probe=mapping_probes.runs_functions_on_own_python,
    ),
    Difference(
        id="state-at-stop",
        what="Everything but objects is lost when the ground is killed.",
        reason="MiniStack writes its state at a graceful stop; only S3 objects are files at once.",
        judged_by="`python -m local register` brings the tables back, as would be done after the loss of a region.",
        probe=probes.forgets_when_killed,
    ),
    Difference(
        id="api-address",
        what="The HTTP API is reached under the ground's own address and a path, not under a host name of its own.",
        reason="Names under localhost resolve only where the system's resolver does so.",
        judged_by="The deployed address is an output of the stack; requests are signed the same way for both.",
    ),
    Difference(
        id="certificate",
        what="The ground's certificate is its own; clients are told to trust it.",
        reason="No public authority signs a certificate for localhost.",
        judged_by="Clients get a bundle by the standard variables; nothing of the platform mentions certificates.",
    ),
    Difference(
        id="timings",
        what="Latency, throughput, throttling and cold starts are this machine's.",
        reason="One process serves every service.",
        judged_by="Speed is claimed by benchmarks of the library alone.",
    ),
)


def _left_out() -> tuple[Difference, ...]:
    """One difference for each resource type that the laptop's environment leaves out of its templates."""
    return tuple(
        Difference(
            id=f"cloudformation-{kind.removeprefix('AWS::').replace('::', '-').lower()}",
            what=f"{kind} is not deployed.",
            reason=reason,
            judged_by="Templates of the other environments hold it and are tested.",
            probe=partial(probes.cloudformation_lacks, kind=kind),
        )
        for kind, reason in get("laptop").left_out.items()
    )


DIFFERENCES: Final = (*_STATED, *_left_out())
"""Every difference between the laptop ground and an account."""
