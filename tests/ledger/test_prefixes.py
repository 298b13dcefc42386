"""Addresses of buckets: what is one, and what is said of one that isn't."""

from __future__ import annotations

import pytest

from veopipe.ledger.prefixes import fault, is_prefix


@pytest.mark.parametrize(
    "output", ["s3://films", "s3://films/a", "gs://films/a b/c", "az://films/ü/x=1", "s3://a.b-c_1"]
)
def test_an_address_of_a_bucket(output: str) -> None:
    assert is_prefix(output)
    assert fault(output) is None


@pytest.mark.parametrize(
    "output", ["renders", "./s3://x", "s3:/films", "S3://films", "http://films", "s3", "sftp://x/y"]
)
def test_what_is_no_address_of_a_bucket(output: str) -> None:
    assert not is_prefix(output)


@pytest.mark.parametrize(
    ("output", "words"),
    [
        ("s3://", "names no bucket: write s3://BUCKET/PREFIX"),
        ("s3:///film", "names no bucket"),
        ("s3://films/", "ends in a slash: write s3://films"),
        ("s3://films/a//", "ends in a slash: write s3://films/a"),
        ("s3://films/a?region=x", "behind a `?` or `#`: settings come from the environment; write s3://films/a"),
        ("s3://films/a#b", "behind a `?`"),
        ("s3://key:secret@films/a", "credentials come from the environment; write s3://films/a"),
        ("s3://@films/a", "credentials"),
        ("s3://Films/a", "in small letters"),
        ("s3://films/../a", "isn't the address of a bucket"),
        ("s3://films/./a", "isn't"),
        ("s3://films//a", "isn't"),
        ("s3://films/$HOME", "without variables"),
        ("s3://$BUCKET/a", "without variables"),
        ("s3://films:9000/a", "isn't"),
        ("s3://films/ a", "isn't"),
        ("s3://films/a\\b", "isn't"),
        ("s3://films/a\nb", "isn't"),
        ("s3://films/" + "a" * 300, "isn't"),
        ("s3://fi", "isn't"),
    ],
)
def test_what_is_wrong_and_what_to_write(output: str, words: str) -> None:
    found = fault(output)

    assert found is not None
    assert words in found
    assert "secret" not in found
    assert "key" not in found
