"""Ask what was known of a figure, as of five dates."""

from datetime import datetime

from vintner.aws.catalog import open_catalog
from vintner.aws.settings import Settings
from vintner.bitemporal import as_of
from vintner.lake import LakeReader
from vintner.marketdata import MACRO_SERIES

settings = Settings.from_environment()
reader = LakeReader(open_catalog(settings), settings.glue_database)
facts = reader.read(MACRO_SERIES, entities=["acme.eps"])

for day in ("2024-05-02T20:04", "2024-05-02T20:05", "2024-08-25T00:00", "2024-09-11T00:00", "2024-09-13T00:00"):
    at = datetime.fromisoformat(f"{day}:00+00:00")
    answer = as_of(facts, at=at)["value"].to_pylist()
    print(f"{at:%Y-%m-%d %H:%M}  {answer[0] if answer else 'nothing was known'}")
