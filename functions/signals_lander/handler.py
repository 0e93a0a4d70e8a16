"""Lands signals in the lake, each once."""

from vintner.aws.lander import lander_handler

handler = lander_handler("signals")
