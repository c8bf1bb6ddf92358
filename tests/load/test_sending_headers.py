"""What may be said as a header, and what is said of one that may not."""

from __future__ import annotations

import pytest

from harness.errors import MisuseError
from harness.load.sending_headers import (
    VARIABLE,
    as_variable,
    header_of,
    headers_said,
    overruled,
)


@pytest.mark.parametrize(
    ("text", "header"),
    [
        ("Authorization: Bearer a.b-c=", ("Authorization", "Bearer a.b-c=")),
        ("x-api-key:7", ("x-api-key", "7")),
        ("X-When: 12:30", ("X-When", "12:30")),
    ],
)
def test_a_header_is_a_name_and_what_comes_after_the_colon(
    text: str, header: tuple[str, str]
) -> None:
    assert header_of(text) == header


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("Authorization s3cret", "no colon"),
        ("", "no colon"),
        (": s3cret", "no name before the colon"),
        ("Bearer s3cret: x", "no name of a header"),
        ("X-Key : s3cret", "no name of a header"),
        ("X-Key: ", "X-Key has no value: is it quoted, and the variable set"),
        ("X-Key: s3cret\r\nX-Other: s3cret", "other than those of printed ASCII"),
        ("X-Key: s3cret\x00", "other than those of printed ASCII"),
        ("X-Key: s3crét", "other than those of printed ASCII"),
        ("Content-Length: 7", "Content-Length cannot be chosen"),
    ],
)
def test_what_could_not_be_sent_is_refused_with_an_example_and_without_the_value(
    text: str, why: str
) -> None:
    with pytest.raises(MisuseError, match=why) as caught:
        header_of(text)

    assert "such as --header 'Authorization: Bearer" in str(caught.value)
    assert "s3cr" not in str(caught.value)


def test_a_name_that_is_given_twice_is_refused() -> None:
    with pytest.raises(MisuseError, match="authorization is given twice"):
        headers_said(["Authorization: a", "authorization: b"], {})


def test_the_command_line_overrules_the_environment() -> None:
    environment = {VARIABLE: "Authorization: a\nX-Tenant: 7\n"}

    assert headers_said(["authorization: b"], environment) == {
        "X-Tenant": "7",
        "authorization": "b",
    }


def test_a_bad_header_of_the_environment_is_told_with_its_place() -> None:
    with pytest.raises(MisuseError) as caught:
        headers_said([], {VARIABLE: "nothing"})

    assert caught.value.where == VARIABLE


def test_what_is_handed_on_is_read_as_it_was_said() -> None:
    headers = headers_said(["Authorization: a", "X-Tenant: 7"], {})

    assert headers_said([], {VARIABLE: as_variable(headers)}) == headers


def test_of_two_spellings_the_stronger_one_is_sent() -> None:
    assert overruled({"accept": "a", "X-A": "1"}, {"Accept": "b"}) == {"X-A": "1", "Accept": "b"}
