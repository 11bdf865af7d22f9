"""The exception tree is the table of exit codes."""

import copy

import pytest

import rnncls as errors

EXIT_CODES = {
    "DivergedError": 1,
    "ProcessLostError": 1,
    "ConfigError": 2,
    "DataError": 3,
    "RunError": 4,
    "DeviceError": 5,
    "Interrupted": 130,
}


@pytest.mark.parametrize(("name", "exit_code"), EXIT_CODES.items())
def test_each_error_has_its_exit_code(name: str, exit_code: int) -> None:
    assert getattr(errors, name).exit_code == exit_code


def test_a_copy_of_an_error_has_its_message_and_suggestions() -> None:
    error = copy.copy(errors.DeviceError("no GPU", {"device": "cpu"}))
    assert (str(error), error.suggestions) == ("no GPU", {"device": "cpu"})


def test_no_error_is_missing_from_the_table() -> None:
    assert {error.__name__ for error in errors.RnnclsError.__subclasses__()} == set(
        EXIT_CODES
    )


@pytest.mark.parametrize(("name", "exit_code"), EXIT_CODES.items())
def test_the_drawn_tree_names_each_error_with_its_exit_code(
    name: str, exit_code: int
) -> None:
    rows = [line.split() for line in (errors.__doc__ or "").splitlines()]
    assert [row[2] for row in rows if name in row] == [str(exit_code)]
