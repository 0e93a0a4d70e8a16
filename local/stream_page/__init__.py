"""The page ``docs/streams.md``, written from what the streams declare about themselves."""

from local.stream_page.page import PATH, page

__all__ = ["PATH", "page"]
