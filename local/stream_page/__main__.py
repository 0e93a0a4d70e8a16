"""``python -m local.stream_page`` writes ``docs/streams.md`` anew."""

from infra.paths import ROOT
from local.stream_page import PATH, page

PATH.write_text(page(), encoding="utf-8")
print(PATH.relative_to(ROOT))
