"""Lands the market data stream: from Kinesis into the lake, the quarantine and the online store."""

from vintner.aws.processor import stream_handler

handler = stream_handler("market_data")
