"""Lands feature values in the lake and the online store, each once."""

from vintner.aws.lander import lander_handler

handler = lander_handler("features.raw")
