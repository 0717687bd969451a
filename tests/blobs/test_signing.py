"""Signed links: they hold as given, and any change breaks them."""

from __future__ import annotations

import string
from urllib.parse import parse_qs

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hordenode.blobs.signing import Grant, SignatureExpired, SignatureInvalid, UrlSigner

SIGNER = UrlSigner(b"secret" * 5)
NOW = 1_800_000_000_000

names = st.text(string.ascii_letters + string.digits + "._-", min_size=1, max_size=40)
links = st.tuples(st.sampled_from(["GET", "PUT"]), names, names, st.integers(0, 2**53), st.integers(0, 2**40))


@given(links)
def test_a_link_grants_what_was_signed_until_it_expires(link: tuple[str, str, str, int, int]) -> None:
    method, bucket, key, expires_ms, max_size = link
    query = SIGNER.sign(*link)
    assert SIGNER.verify(method, bucket, key, query, expires_ms) == Grant(max_size, expires_ms)
    with pytest.raises(SignatureExpired):
        SIGNER.verify(method, bucket, key, query, expires_ms + 1)


@given(links, links)
def test_a_link_fits_nothing_else(link: tuple[str, str, str, int, int], other: tuple[str, str, str, int, int]) -> None:
    method, bucket, key, *_ = link
    if (method, bucket, key) != other[:3]:
        with pytest.raises(SignatureInvalid):
            SIGNER.verify(method, bucket, key, SIGNER.sign(*other), 0)
    with pytest.raises(SignatureInvalid):
        SIGNER.verify(method, bucket, key, UrlSigner(b"another").sign(*link), 0)


@given(links, st.data())
def test_any_change_of_the_query_is_refused(link: tuple[str, str, str, int, int], data: st.DataObject) -> None:
    query = SIGNER.sign(*link)
    at = data.draw(st.integers(0, len(query)))
    cut = data.draw(st.integers(0, 3))
    changed = query[:at] + data.draw(st.text(max_size=3)) + query[at + cut :]
    if changed != query:
        with pytest.raises(SignatureInvalid):
            SIGNER.verify(link[0], link[1], link[2], changed, 0)


@given(st.text(), st.text(), st.text(), st.text())
def test_junk_is_refused_and_nothing_worse(method: str, bucket: str, key: str, query: str) -> None:
    with pytest.raises(SignatureInvalid):
        SIGNER.verify(method, bucket, key, query, NOW)


@pytest.mark.parametrize(
    "extra", ["&size=999999999", "&expires=9999999999999", "&x=1", "&", "#", "%20", "&signature=AAAA"]
)
def test_nothing_can_be_added(extra: str) -> None:
    query = SIGNER.sign("PUT", "results", "a.webp", NOW, 1000)
    for changed in (query + extra, f"{extra[1:]}&{query}"):
        with pytest.raises(SignatureInvalid):
            SIGNER.verify("PUT", "results", "a.webp", changed, NOW)


@pytest.mark.parametrize(
    "digits", ["+1800000000000", "1_800000000000", "１８00000000000", "01800000000000", "9" * 9999]
)
def test_another_spelling_of_a_number_is_refused(digits: str) -> None:
    query = SIGNER.sign("GET", "results", "a.webp", NOW, 1000)
    with pytest.raises(SignatureInvalid):
        SIGNER.verify("GET", "results", "a.webp", query.replace(str(NOW), digits), NOW)


def test_a_link_to_get_is_good_for_head_and_not_for_put() -> None:
    query = SIGNER.sign("GET", "results", "a.webp", NOW, 1000)
    assert SIGNER.verify("HEAD", "results", "a.webp", query, NOW).max_size == 1000
    with pytest.raises(SignatureInvalid):
        SIGNER.verify("PUT", "results", "a.webp", query, NOW)
    with pytest.raises(SignatureInvalid):
        SIGNER.verify("HEAD", "results", "a.webp", SIGNER.sign("PUT", "results", "a.webp", NOW, 1000), NOW)


def test_links_have_the_word_that_a_client_looks_for_and_no_padding() -> None:
    query = SIGNER.sign("GET", "results", "a.webp", NOW, 1000)
    assert "https" in query
    (signature,) = parse_qs(query)["signature"]
    assert len(signature) == 43
    assert set(signature) <= set(string.ascii_letters + string.digits + "-_")


def test_signatures_do_not_use_the_secret_as_it_is() -> None:
    """The secret also keys the digests of API keys: no link may ever show one of those."""
    import base64
    import hashlib
    import hmac

    text = "\n".join(("GET", "results", "a.webp", str(NOW), "1000"))
    direct = base64.urlsafe_b64encode(hmac.digest(b"secret" * 5, text.encode(), hashlib.sha256)).decode()
    assert direct.rstrip("=") not in SIGNER.sign("GET", "results", "a.webp", NOW, 1000)
