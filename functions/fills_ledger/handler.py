"""Claims fills and lands them in the lake, each once."""

from vintner.aws.ledger import ledger_handler

handler = ledger_handler("fills")
