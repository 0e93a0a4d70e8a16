"""Lands bars in the lake and the online store, late trades merged in."""

from vintner.aws.lander import lander_handler

handler = lander_handler("market_data.bars")
