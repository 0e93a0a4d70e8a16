"""Lands the macro data stream: from Kinesis into the lake, the quarantine and the online store."""

from vintner.aws.processor import stream_handler

handler = stream_handler("macro_data")
