"""Foundation: the key, the topic alarms speak to, and the buckets every other stack leaves things in."""

from __future__ import annotations

from aws_cdk import (
    Duration,
    aws_iam,
    aws_kms,
    aws_logs,
    aws_s3,
    aws_sns,
    aws_sns_subscriptions,
)
from constructs import Construct

from infra.constructs import PrivateBucket
from infra.environments import Environment
from infra.nag import accept
from infra.shared import Shared, removal_of
from infra.stacks.base import CapabilityStack


class FoundationStack(CapabilityStack):
    """Key, alarm topic, log delivery policy, and the buckets of access logs and dead letters."""

    def __init__(self, scope: Construct, *, environment: Environment) -> None:
        super().__init__(
            scope,
            environment=environment,
            capability="foundation",
            description="Vintner: encryption key, alarm topic, log delivery, access logs and dead letters.",
        )
        self._environment = environment
        self._key = self._make_key()
        topic = self._make_topic()
        own = Shared(environment=environment, names=self.names, key=self._key, alarms=topic, access_logs=None)
        access_logs = self._make_access_logs(own)
        PrivateBucket(
            self,
            "DeadLetters",
            shared=Shared(
                environment=environment, names=self.names, key=self._key, alarms=topic, access_logs=access_logs
            ),
            name=self.names.dead_letters_bucket,
            expire_days=environment.keep.dead_letters,
        )
        self._allow_log_delivery()
        self.answer("KeyArn", self._key.key_arn, "Key of everything at rest.")
        self.answer("AlarmsTopicArn", self.names.alarms_topic_arn, "Topic alarms speak to.")
        self.answer("DeadLettersBucket", self.names.dead_letters_bucket, "What could not be processed, with payloads.")
        self.answer("AccessLogsBucket", self.names.access_logs_bucket, "Access logs of the other buckets.")

    def shared_with(self, stack: CapabilityStack) -> Shared:
        """Return the foundation as another stack sees it, and deploy the foundation first."""
        stack.add_stack_dependency(self)
        return Shared(
            environment=self._environment,
            names=stack.names,
            key=aws_kms.Key.from_key_arn(stack, "Key", self._key.key_arn),
            alarms=aws_sns.Topic.from_topic_arn(stack, "Alarms", stack.names.alarms_topic_arn),
            access_logs=aws_s3.Bucket.from_bucket_name(stack, "AccessLogs", stack.names.access_logs_bucket),
        )

    def _make_key(self) -> aws_kms.Key:
        key = aws_kms.Key(
            self,
            "Key",
            alias=f"alias/{self.names.of('data')}",
            description=f"Encrypts everything vintner-{self._environment.name} keeps.",
            enable_key_rotation=True,
            pending_window=Duration.days(30),
            removal_policy=removal_of(self._environment),
        )
        encrypt = ["kms:Decrypt", "kms:DescribeKey", "kms:Encrypt", "kms:GenerateDataKey*", "kms:ReEncrypt*"]
        key.add_to_resource_policy(
            aws_iam.PolicyStatement(
                sid="LogGroups",
                principals=[aws_iam.ServicePrincipal(f"logs.{self.region}.amazonaws.com")],
                actions=encrypt,
                resources=["*"],
                conditions={
                    "ArnLike": {
                        "kms:EncryptionContext:aws:logs:arn": [
                            self.names.arn("logs", f"log-group:{self.names.log_group('*')}"),
                            self.names.arn("logs", f"log-group:{self.names.service_log_group('*')}"),
                        ]
                    }
                },
            )
        )
        key.add_to_resource_policy(
            aws_iam.PolicyStatement(
                sid="Alarms",
                principals=[aws_iam.ServicePrincipal("cloudwatch.amazonaws.com")],
                actions=["kms:Decrypt", "kms:GenerateDataKey"],
                resources=["*"],
                conditions={"StringEquals": {"aws:SourceAccount": self.account}},
            )
        )
        return key

    def _make_topic(self) -> aws_sns.Topic:
        topic = aws_sns.Topic(
            self, "Alarms", topic_name=self.names.of("alarms"), master_key=self._key, enforce_ssl=True
        )
        topic.add_to_resource_policy(
            aws_iam.PolicyStatement(
                sid="AlarmsSpeak",
                principals=[aws_iam.ServicePrincipal("cloudwatch.amazonaws.com")],
                actions=["sns:Publish"],
                resources=[topic.topic_arn],
                conditions={"StringEquals": {"aws:SourceAccount": self.account}},
            )
        )
        for address in self._environment.alarm_addresses:
            topic.add_subscription(aws_sns_subscriptions.EmailSubscription(address))
        return topic

    def _make_access_logs(self, shared: Shared) -> PrivateBucket:
        bucket = PrivateBucket(
            self,
            "AccessLogs",
            shared=shared,
            name=self.names.access_logs_bucket,
            expire_days=self._environment.keep.access_logs,
            encryption=aws_s3.BucketEncryption.S3_MANAGED,
        )
        bucket.add_to_resource_policy(
            aws_iam.PolicyStatement(
                sid="BucketsLogHere",
                principals=[aws_iam.ServicePrincipal("logging.s3.amazonaws.com")],
                actions=["s3:PutObject"],
                resources=[bucket.arn_for_objects(f"{self.names.of()}-*")],
                conditions={
                    "StringEquals": {"aws:SourceAccount": self.account},
                    "ArnLike": {"aws:SourceArn": f"arn:aws:s3:::{self.names.of()}-*"},
                },
            )
        )
        accept(bucket, "S1", "This bucket holds the access logs; logging its own accesses would never end.")
        return bucket

    def _allow_log_delivery(self) -> None:
        aws_logs.ResourcePolicy(
            self,
            "LogDelivery",
            resource_policy_name=self.names.of("log-delivery"),
            policy_statements=[
                aws_iam.PolicyStatement(
                    sid="ServicesLogHere",
                    principals=[aws_iam.ServicePrincipal("delivery.logs.amazonaws.com")],
                    actions=["logs:CreateLogStream", "logs:PutLogEvents"],
                    resources=[self.names.arn("logs", f"log-group:{self.names.service_log_group('*')}")],
                    conditions={"StringEquals": {"aws:SourceAccount": self.account}},
                )
            ],
        )
