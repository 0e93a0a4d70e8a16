"""A queue as we make them."""

from __future__ import annotations

from aws_cdk import Duration, aws_sqs
from constructs import Construct

from infra.constructs.alarms import alarm_above
from infra.nag import accept
from infra.shared import Shared

_LONGEST = Duration.days(14)


class WorkQueue(aws_sqs.Queue):
    """A queue with a dead letter queue behind it, both encrypted with our key and TLS only.

    Parameters
    ----------
    scope, construct_id
        Where it is in the tree.
    shared
        Key, removal policy and alarm topic.
    name
        Its name after ``vintner-{environment}-``.
    visibility_seconds
        How long a message is hidden once taken: six times the timeout of the function that takes it.
    attempts
        Failed attempts after which a message becomes a dead letter.
    """

    dead_letters: aws_sqs.Queue

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        shared: Shared,
        name: str,
        visibility_seconds: int,
        attempts: int = 5,
    ) -> None:
        dead_letters = aws_sqs.Queue(
            scope,
            f"{construct_id}DeadLetters",
            queue_name=shared.names.of(name, "dead-letters"),
            encryption=aws_sqs.QueueEncryption.KMS,
            encryption_master_key=shared.key,
            enforce_ssl=True,
            retention_period=_LONGEST,
            removal_policy=shared.removal,
        )
        super().__init__(
            scope,
            construct_id,
            queue_name=shared.names.of(name),
            encryption=aws_sqs.QueueEncryption.KMS,
            encryption_master_key=shared.key,
            enforce_ssl=True,
            retention_period=_LONGEST,
            visibility_timeout=Duration.seconds(visibility_seconds),
            dead_letter_queue=aws_sqs.DeadLetterQueue(max_receive_count=attempts, queue=dead_letters),
            removal_policy=shared.removal,
        )
        self.dead_letters = dead_letters
        accept(dead_letters, "SQS3", "This is the dead letter queue; letters in it are read by people.")
        meaning = f"Messages of {name} failed {attempts} times: read the dead letter queue, repair, redrive."
        self._alarm(shared, f"{name}-dead-letters", meaning)

    def _alarm(self, shared: Shared, name: str, meaning: str) -> None:
        alarm_above(
            self,
            "DeadLettersAlarm",
            shared=shared,
            name=name,
            meaning=meaning,
            metric=self.dead_letters.metric_approximate_number_of_messages_visible(
                statistic="Maximum", period=Duration.minutes(1)
            ),
            threshold=0,
        )
