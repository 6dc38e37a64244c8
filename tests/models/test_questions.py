"""The questions of the full stage are those of the format, for every first question and sample."""

from pixzip.models.wavefront.questions import questions
from tests.oracles.mixing import places


def test_paths_and_places_are_those_of_the_format() -> None:
    found = questions()
    for first in range(1, 256, 3):
        for sample in range(first % 5, 256, 5):
            t, asked = first, []
            while t > 0:
                asked.append((t, *(int(table[first, t]) for table in (found.node, found.low, found.high))))
                t = int(found.after[first, t, int(sample >= t)])
            assert asked == list(places(sample, first))
            assert -t == sample
            assert [q for q in found.path[first, sample].tolist() if q] == [q for q, *_ in asked]
