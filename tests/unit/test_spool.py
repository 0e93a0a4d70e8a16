"""A spool loses nothing that was acknowledged, wherever its process or its machine stops."""

from __future__ import annotations

import os
import shutil

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vintner.messaging.delivery_lanes import Entry
from vintner.messaging.errors import SpoolFullError, SpoolInUseError, SpoolWriteError
from vintner.messaging.spool import Spool, SpoolDamage

ENTRIES = [Entry(f"{n % 3:03d}", bytes([n]) * (n * 7 % 23), n) for n in range(12)]
ALL = 1 << 30


def waiting(folder, **limits):
    with Spool(folder, **limits) as spool:
        return spool.read(most_bytes=ALL)


def filled(folder, entries=ENTRIES, **limits):
    with Spool(folder, **limits) as spool:
        spool.append(entries)
    return sorted(folder.glob("*.spool"))


def test_what_was_appended_waits_in_order_through_restarts(tmp_path):
    filled(tmp_path, ENTRIES[:5], segment_bytes=100)
    filled(tmp_path, ENTRIES[5:], segment_bytes=100)
    assert len(list(tmp_path.glob("*.spool"))) > 2
    with Spool(tmp_path) as spool:
        assert (spool.read(most_bytes=ALL), len(spool)) == (ENTRIES, 12)
        assert [e.records for e in spool.read(most_bytes=ALL)] == list(range(12))
        assert (spool.records, spool.damaged) == (66, ())
        assert len(spool.read(most_bytes=1)) == 1
        assert len(spool.read(most_bytes=30)) < 12


@settings(max_examples=40)
@given(
    st.lists(st.one_of(st.integers(1, 5), st.integers(-5, -1), st.just(0)), max_size=25),
    st.sampled_from([40, 200, 10_000]),
)
def test_it_equals_a_queue(tmp_path_factory, steps, segment_bytes):
    folder, queue, number = tmp_path_factory.mktemp("spool"), [], 0
    spool = Spool(folder, segment_bytes=segment_bytes)
    for step in steps:
        if step > 0:  # append
            fresh = [Entry("k", str(number + n).encode(), n) for n in range(step)]
            number += step
            spool.append(fresh)
            queue += fresh
        elif step < 0:  # release
            count = min(-step, len(queue))
            spool.release(count)
            del queue[:count]
        else:  # another process takes over
            spool.close()
            spool = Spool(folder, segment_bytes=segment_bytes)
        assert spool.read(most_bytes=ALL) == queue
        assert (len(spool), spool.records) == (len(queue), sum(e.records for e in queue))
        assert spool.damaged == ()
    spool.close()
    assert (spool.size == 0) == (not queue)


def test_a_file_cut_at_any_byte_gives_every_entry_before_the_cut(tmp_path):
    (path,) = filled(tmp_path / "whole")
    data = path.read_bytes()
    ends = [0]
    for entry in ENTRIES:
        ends.append(ends[-1] + 18 + len(entry.partition_key) + len(entry.data))
    assert ends[-1] == len(data)
    for cut in range(len(data) + 1):
        folder = tmp_path / "cut"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        (folder / path.name).write_bytes(data[:cut])
        whole = sum(end <= cut for end in ends[1:])
        with Spool(folder) as spool:
            assert spool.read(most_bytes=ALL) == ENTRIES[:whole]
            torn = cut - ends[whole]
            assert spool.damaged == ((SpoolDamage(path.name, ends[whole], torn, True),) if torn else ())
            spool.append([Entry("z", b"later", 1)])  # and goes on behind
        assert waiting(folder) == [*ENTRIES[:whole], Entry("z", b"later")]


def test_a_release_cut_at_any_byte_sends_again_and_loses_nothing(tmp_path):
    filled(tmp_path / "whole", segment_bytes=120)
    with Spool(tmp_path / "whole", segment_bytes=120) as spool:
        spool.release(7)
    data = (tmp_path / "whole" / "released").read_bytes()
    for cut in range(len(data) + 1):
        folder = tmp_path / "cut"
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(tmp_path / "whole", folder)
        (folder / "released").write_bytes(data[:cut])
        found = waiting(folder)
        assert found[-5:] == ENTRIES[7:]
        assert cut < len(data) or found == ENTRIES[7:]


@pytest.mark.parametrize("at", range(3))
def test_a_changed_byte_costs_the_entry_it_is_in_and_is_reported(tmp_path, at):
    entries = [Entry("k", b"abcdefgh", 1)] * 3
    (path,) = filled(tmp_path, entries)
    size = path.stat().st_size // 3
    data = bytearray(path.read_bytes())
    for offset in range(at * size, (at + 1) * size):
        changed = bytearray(data)
        changed[offset] ^= 1
        path.write_bytes(changed)
        with Spool(tmp_path) as spool:
            assert spool.read(most_bytes=ALL) == entries[:2]
            (damage,) = spool.damaged
            assert (damage.offset, damage.size, damage.torn) == (at * size, size, at == 2)
        kept = tmp_path / "damaged" / f"{path.name}.{at * size}"
        assert kept.read_bytes() == changed[at * size : (at + 1) * size]


def test_a_damaged_older_segment_is_reported_and_the_newer_ones_wait(tmp_path):
    first, *_ = filled(tmp_path, segment_bytes=100)
    first.write_bytes(first.read_bytes()[:-1])
    with Spool(tmp_path) as spool:
        (damage,) = spool.damaged
        assert (damage.segment, damage.torn) == (first.name, False)
        assert len(spool) == 11


def test_what_is_written_after_a_lost_segment_never_counts_as_released(tmp_path):
    with Spool(tmp_path) as spool:
        spool.append(ENTRIES)
        spool.release(12)
    for path in tmp_path.glob("*.spool"):
        path.unlink()
    filled(tmp_path, ENTRIES[:2])
    assert waiting(tmp_path) == ENTRIES[:2]


def test_disk_space_of_what_was_released_is_given_back(tmp_path):
    with Spool(tmp_path, segment_bytes=50) as spool:
        for _ in range(20):
            spool.append(ENTRIES)
            spool.release(12)
        assert len(list(tmp_path.glob("*.spool"))) <= 2


def test_a_full_spool_refuses_and_keeps_what_it_has(tmp_path):
    with Spool(tmp_path, most_bytes=300) as spool:
        spool.append(ENTRIES[:4])
        with pytest.raises(SpoolFullError) as caught:
            spool.append([Entry("k", b"x" * 300)])
        assert (caught.value.limit, len(spool)) == (300, 4)
        spool.append(ENTRIES[4:6])


def test_a_spool_belongs_to_one_process(tmp_path):
    with Spool(tmp_path), pytest.raises(SpoolInUseError):
        Spool(tmp_path)
    Spool(tmp_path).close()


def test_a_disk_that_refuses_is_told_and_what_was_safe_stays(tmp_path, monkeypatch):
    with Spool(tmp_path) as spool:
        spool.append(ENTRIES[:3])
        sync, broken = os.fsync, [True]

        def failing(handle):
            if broken.pop() if broken else False:
                raise OSError(28, "No space left on device")
            sync(handle)

        monkeypatch.setattr("os.fsync", failing)
        with pytest.raises(SpoolWriteError, match="No space left"):
            spool.append(ENTRIES[3:6])
        assert spool.read(most_bytes=ALL) == ENTRIES[:3]
        spool.append(ENTRIES[6:])
        assert spool.read(most_bytes=ALL) == ENTRIES[:3] + ENTRIES[6:]
    assert [e for e in waiting(tmp_path) if e not in ENTRIES[3:6]] == ENTRIES[:3] + ENTRIES[6:]
