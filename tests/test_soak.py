"""A few kills and some garbled input; `make soak` does it for minutes."""

import soak


def test_whatever_is_killed_finishes_with_the_same_bits(tmp_path):
    struck = soak.kill(20, tmp_path, plans=soak.SHORT_PLANS)
    assert struck.total() == 20 and len(struck) >= 3


def test_whatever_is_garbled_costs_one_line(tmp_path):
    statuses = soak.fuzz(2.0, tmp_path)
    assert statuses["2"] >= 5


def test_garbling_changes_something_and_repeats_itself():
    raw, others = bytes(range(200)), [b"another"]
    first = [
        soak.garbled(raw, others, soak.random.Random(k)) for k in range(99)
    ]
    again = [
        soak.garbled(raw, others, soak.random.Random(k)) for k in range(99)
    ]
    assert first == again
    assert sum(result != raw for result in first) > 80
    words = [soak.wrong_words(soak.random.Random(k)) for k in range(99)]
    assert len({tuple(line) for line in words}) > 80
