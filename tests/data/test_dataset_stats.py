"""A sample of the rows of a file."""

from rnncls.data.dataset_stats import reservoir_sample


def test_records_are_spread_over_the_whole() -> None:
    kept = reservoir_sample(range(1000), 100)
    assert kept == sorted(set(kept))
    assert len(kept) == 100
    assert all(
        10 < sum(start <= number < start + 250 for number in kept) < 40
        for start in range(0, 1000, 250)
    )
    assert 30 < sum(number % 2 for number in kept) < 70


def test_few_records_are_all_kept() -> None:
    assert reservoir_sample(range(5), 5) == [0, 1, 2, 3, 4]
