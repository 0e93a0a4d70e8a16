"""Looks after dead letters: takes in what failed, tries it again, parks what does not get through.

Called with ``{}`` each minute, with notifications of the bucket of dead letters, and with ``{"letters": […]}``.

It needs
- the variables ``VINTNER_LETTERS_TABLE`` and ``VINTNER_DEAD_LETTERS_BUCKET``;
- to read the lake (the quarantine) and, on the bucket of dead letters, ``s3:ListBucket`` and ``s3:GetObject``;
- on the table of letters ``dynamodb:GetItem``, ``BatchGetItem``, ``Query``, ``PutItem``, ``DeleteItem``;
- ``kinesis:PutRecords`` on every stream, those of facts (market-data, macro-data) among them;
- ``lambda:InvokeFunction`` on every consumer of a stream, and on every function that is called asynchronously
  (lake-maintenance, gap-repair, file-drop): a call it may not make is tried a few times, then parked.

Its own failed calls are not called again. A timeout of 900 seconds suits it: it waits for the functions it calls.
"""

from vintner.aws.dead_letters import dead_letters_handler

handler = dead_letters_handler()
