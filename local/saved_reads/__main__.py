"""``python -m local.saved_reads`` writes the generated files of ``athena/`` anew."""

from local.saved_reads import write_saved_reads

for path in write_saved_reads():
    print(path)
