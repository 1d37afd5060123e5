"""Prolific's signed entry: a JSON Web Token (RFC 7519) with RS256, checked without trust in its header.

It proves who comes for two minutes, so it is exchanged at once for a cookie of ours.
"""

import base64
import binascii
import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from urllib.parse import urlsplit

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey, RSAPublicNumbers
from cryptography.hazmat.primitives.hashes import SHA256

from annotation_site.panels.errors import BadEntryToken

ALGORITHM: Final = "RS256"
ISSUER: Final = "https://www.prolific.com"
CLOCKS_APART: Final = timedelta(seconds=30)
"""So far may two clocks differ."""
LONGEST_LIFE: Final = timedelta(minutes=10)
"""A token that claims to live longer is not one of Prolific's, which live two minutes."""
LONGEST_TOKEN: Final = 8_192
LEAST_KEY_BITS: Final = 2_048

Keys = Callable[[str], RSAPublicKey | None]
"""Gives the public key with an id; None where there is none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """What a token must be about.

    Attributes:
        host: Of this site, without a port.
        path: Of the study's link.
        parameters: The link's parameters as they came, without the token.
        submission: The submission's id among them.
    """

    host: str
    path: str
    parameters: Mapping[str, str]
    submission: str


def check_entry(token: str, keys: Keys, expected: Expected, now: datetime) -> None:
    """Check everything about a signed entry.

    Args:
        token: As it came in the link.
        keys: Where public keys come from.
        expected: What it must be about.
        now: The time.

    Raises:
        BadEntryToken: Anything at all is wrong with it.
        KeysUnreachable: `keys` could not be asked.
    """
    if len(token) > LONGEST_TOKEN or token.count(".") != 2:
        raise BadEntryToken("this is no signed token")
    head, body, signature = token.split(".")
    header = _read_json(head)
    # The algorithm is ours to choose: a token that names another one is refused before any key is.
    if header.get("alg") != ALGORITHM or "crit" in header:
        raise BadEntryToken(f"the token must be signed with {ALGORITHM}")
    key = keys(str(header.get("kid", "")))
    if key is None:
        raise BadEntryToken("the token is signed with an unknown key")
    try:
        key.verify(_decode(signature), f"{head}.{body}".encode("ascii"), PKCS1v15(), SHA256())
    except InvalidSignature as error:
        raise BadEntryToken("the signature is wrong") from error
    claims = _read_json(body)
    _check_times(claims, now)
    _check_claims(claims, expected)


def read_keys(text: str | bytes) -> dict[str, RSAPublicKey]:
    """Read a JSON Web Key Set (RFC 7517); keys that are not for RS256 signatures are left out.

    Raises:
        ValueError: It is no key set.
    """
    found: dict[str, RSAPublicKey] = {}
    listed = json.loads(text)
    rows = listed.get("keys") if isinstance(listed, dict) else None
    if not isinstance(rows, list):
        raise ValueError("a key set has a list of keys")  # noqa: TRY004  (about a value)
    for row in rows:
        if not isinstance(row, dict) or row.get("kty") != "RSA" or not row.get("kid"):
            continue
        if row.get("alg", ALGORITHM) != ALGORITHM or row.get("use", "sig") != "sig":
            continue
        modulus, exponent = (
            int.from_bytes(_decode(str(row.get(name, ""))), "big") for name in ("n", "e")
        )
        if modulus.bit_length() >= LEAST_KEY_BITS:
            found[str(row["kid"])] = RSAPublicNumbers(e=exponent, n=modulus).public_key()
    return found


def _check_times(claims: Mapping[str, Any], now: datetime) -> None:
    numbers = [claims.get(name) for name in ("exp", "iat")]
    end, begin = (
        float(value) if isinstance(value, int | float) and not isinstance(value, bool) else math.nan
        for value in numbers
    )
    if not math.isfinite(end) or not math.isfinite(begin):
        raise BadEntryToken("the token does not say when it was made and when it ends")
    moment = now.timestamp()
    apart = CLOCKS_APART.total_seconds()
    if moment > end + apart:
        raise BadEntryToken("the token has expired")
    if begin > moment + apart or end - begin > LONGEST_LIFE.total_seconds():
        raise BadEntryToken("the token's times cannot be true")


def _check_claims(claims: Mapping[str, Any], expected: Expected) -> None:
    if claims.get("iss") != ISSUER:
        raise BadEntryToken("the token was made by somebody else")
    audience = claims.get("aud")
    named = audience if isinstance(audience, list) else [audience]
    if not any(_is_ours(str(each), expected) for each in named):
        raise BadEntryToken("the token is for another site or another study")
    if claims.get("sub") != expected.submission:
        raise BadEntryToken("the token is for another submission")
    said = claims.get("prolific")
    if not isinstance(said, dict):
        raise BadEntryToken("the token does not repeat the link")
    differs = [name for name, value in expected.parameters.items() if said.get(name) != value]
    if differs:
        raise BadEntryToken(f"the token and the link differ in {min(differs)}")


def _is_ours(audience: str, expected: Expected) -> bool:
    try:
        parts = urlsplit(audience if "//" in audience else f"//{audience}")
        host = parts.hostname
    except ValueError:
        return False
    return host == expected.host and parts.path in {"", "/", expected.path}


def _read_json(part: str) -> dict[str, Any]:
    try:
        read = json.loads(_decode(part))
    except ValueError as error:
        raise BadEntryToken("the token cannot be read") from error
    if not isinstance(read, dict):
        raise BadEntryToken("the token cannot be read")
    return read


def _decode(part: str) -> bytes:
    try:
        return base64.b64decode(part + "=" * (-len(part) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError) as error:
        raise BadEntryToken("the token cannot be read") from error
