"""Maintains the lake: small files become large ones, snapshots nobody needs expire, orphaned files are removed."""

from vintner.aws.maintenance import maintenance_handler

handler = maintenance_handler()
