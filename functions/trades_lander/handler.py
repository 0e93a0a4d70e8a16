"""Lands trades in the lake, each once."""

from vintner.aws.lander import lander_handler

handler = lander_handler("market_data.trades")
