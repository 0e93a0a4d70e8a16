"""The CDK app: environments, our defaults as constructs, one stack per capability."""
