"""Signed entries: only the panel's own, for this study and person, once, and for a short time."""

import hashlib
import hmac
import json
import time
from datetime import UTC, datetime

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from annotation_site.annotation.models import Sitting
from annotation_site.panels import services
from annotation_site.panels.entry_tokens import Expected, check_entry, read_keys
from annotation_site.panels.errors import BadEntryToken
from annotation_site.panels.keys import keys
from tests.site.panels.conftest import ANA, BEN, b64


@pytest.fixture
def claims(person):
    ana = person()
    now = int(time.time())
    return {
        "iss": "https://www.prolific.com",
        "aud": f"http://testserver{ana.url('arrive')}",
        "sub": ana.submission,
        "iat": now,
        "exp": now + 120,
        "prolific": {**ana.link, "workspace_id": "w1"},
    }


def test_a_signed_entry_is_verified_and_exchanged(person, prolific, claims):
    ana = person()

    assert ana.arrive(prolific_token=prolific.sign(claims)).status_code == 302
    ana.start()

    assert ana.visit.verified
    assert ana.sitting.entry_verified
    assert prolific.tokens == [None]  # public keys need no token


def test_keys_are_fetched_once(person, prolific, claims):
    for _ in range(3):
        assert person().arrive(prolific_token=prolific.sign(claims)).status_code == 302

    assert prolific.asked == ["/.well-known/study/jwks.json"]


def changed(claims, **more):
    return {**claims, **more}


def without(claims, name):
    return {key: value for key, value in claims.items() if key != name}


FORGERIES = {
    "expired": lambda p, c: p.sign(changed(c, iat=c["iat"] - 300, exp=c["exp"] - 300)),
    "from the future": lambda p, c: p.sign(changed(c, iat=c["iat"] + 300, exp=c["exp"] + 300)),
    "too long a life": lambda p, c: p.sign(changed(c, exp=c["exp"] + 3600)),
    "never ends": lambda p, c: p.sign(without(c, "exp")),
    "no beginning": lambda p, c: p.sign(without(c, "iat")),
    "times as words": lambda p, c: p.sign(changed(c, exp=str(c["exp"]))),
    "endless": lambda p, c: p.sign(changed(c, exp=float("inf"))),
    "not a number": lambda p, c: p.sign(changed(c, exp=float("nan"))),
    "times as truth": lambda p, c: p.sign(changed(c, exp=True)),
    "another site": lambda p, c: p.sign(changed(c, aud="https://evil.example/")),
    "another study here": lambda p, c: p.sign(changed(c, aud="http://testserver/p/other/")),
    "no audience": lambda p, c: p.sign(without(c, "aud")),
    "host as a prefix": lambda p, c: p.sign(changed(c, aud="http://testserver.evil.example/")),
    "host as a user": lambda p, c: p.sign(changed(c, aud="http://testserver@evil.example/")),
    "another maker": lambda p, c: p.sign(changed(c, iss="https://www.prolific.com.evil.example")),
    "another submission": lambda p, c: p.sign(changed(c, sub="60ffffffffffffffffffffff")),
    "another person": lambda p, c: p.sign(
        changed(c, prolific={**c["prolific"], "PROLIFIC_PID": BEN})
    ),
    "nobody": lambda p, c: p.sign(changed(c, prolific={})),
    "parameters as a list": lambda p, c: p.sign(changed(c, prolific=[1])),
    "no parameters": lambda p, c: p.sign(without(c, "prolific")),
    "no algorithm": lambda _p, c: unsigned(c),
    "HS256 with the public key": lambda p, c: symmetric(p, c),
    "RS512": lambda p, c: p.sign(c, alg="RS512"),
    "critical extension": lambda p, c: p.sign(c, crit=["b64"]),
    "unknown key": lambda p, c: p.sign(c, kid="key-2"),
    "no key": lambda p, c: p.sign(c, kid=None),
    "somebody else's key": lambda _p, c: stranger(c),
    "a key in its own header": lambda _p, c: stranger(c, jwk={"kty": "RSA"}),
    "changed claims": lambda p, c: swapped(p, c),
    "no signature": lambda p, c: p.sign(c).rsplit(".", 1)[0] + ".",
    "two parts": lambda p, c: p.sign(c).rsplit(".", 1)[0],
    "four parts": lambda p, c: p.sign(c) + ".x",
    "not base64": lambda _p, _c: "a.b!.c",
    "no JSON": lambda _p, _c: f"{b64(b'x')}.{b64(b'y')}.{b64(b'z')}",
    "a list": lambda _p, _c: f"{b64(b'[]')}.{b64(b'[]')}.{b64(b'z')}",
    "no ASCII": lambda _p, _c: "é.é.é",
    "huge": lambda _p, _c: "a" * 9000 + ".b.c",
}


def unsigned(claims):
    head = b64(json.dumps({"alg": "none", "kid": "key-1"}).encode())
    return f"{head}.{b64(json.dumps(claims).encode())}."


def symmetric(panel, claims):
    public = panel.key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    head = b64(json.dumps({"alg": "HS256", "kid": panel.kid}).encode())
    body = b64(json.dumps(claims).encode())
    return (
        f"{head}.{body}.{b64(hmac.new(public, f'{head}.{body}'.encode(), hashlib.sha256).digest())}"
    )


def stranger(claims, **header):
    from tests.site.panels.conftest import Prolific

    return Prolific().sign(claims, **header)


def swapped(panel, claims):
    head, _, signature = panel.sign(claims).split(".")
    body = b64(json.dumps(changed(claims, sub="60ffffffffffffffffffffff")).encode())
    return f"{head}.{body}.{signature}"


@pytest.mark.parametrize("forgery", FORGERIES)
def test_a_forged_entry_is_refused_and_never_taken_as_unsigned(person, prolific, claims, forgery):
    ana = person()

    reply = ana.arrive(prolific_token=FORGERIES[forgery](prolific, claims))

    assert reply.status_code == 403
    assert "This link has run out" in reply.content.decode()
    assert ana.start().status_code == 409
    assert not Sitting.objects.exists()


def test_the_links_parameters_must_be_those_of_the_token(person, prolific, claims):
    reply = person().arrive(prolific_token=prolific.sign(claims), PROLIFIC_PID=BEN)

    assert reply.status_code == 403


def test_an_entry_that_was_used_lets_no_other_browser_in(person, prolific, claims):
    token = prolific.sign(claims)
    ana = person()
    ana.arrive(prolific_token=token)
    ana.start()
    thief = person(ANA)
    thief.arrive(prolific_token=token)

    assert thief.client.post(thief.url("start"), {"consent": "on"}).status_code == 403
    assert ana.start().status_code == 302


def test_a_seat_taken_with_a_signature_is_not_given_to_a_typed_id(person, prolific, claims):
    ana = person()
    ana.arrive(prolific_token=prolific.sign(claims))
    ana.start()
    thief = person(ANA)
    thief.arrive()

    assert thief.welcome().status_code == 403
    assert thief.client.post(thief.url("start")).status_code == 403
    ana.arrive()
    assert ana.welcome().status_code == 302  # her own browser needs no signature


def test_a_study_may_take_signed_entries_alone(person, study, prolific, claims):
    services.change(study=study, values={"signed_only": True})
    ana = person()

    assert ana.arrive().status_code == 403
    assert "come from your panel" in ana.arrive().content.decode()
    assert ana.arrive(prolific_token=prolific.sign(claims)).status_code == 302


def test_while_the_keys_cannot_be_had_people_are_asked_to_wait(person, prolific, claims, settings):
    settings.PROLIFIC_API = "http://127.0.0.1:9"  # nobody listens there

    reply = person().arrive(prolific_token=prolific.sign(claims))

    assert reply.status_code == 503
    assert "try again in a moment" in reply.content.decode()


def test_unknown_keys_do_not_flood_the_panel(person, prolific, claims):
    for _ in range(5):
        person().arrive(prolific_token=prolific.sign(claims, kid="unknown"))

    assert len(prolific.asked) == 1


def test_a_new_key_is_found_after_a_while(prolific, monkeypatch):
    assert keys("key-1") is not None
    prolific.kid = "key-2"
    assert keys("key-2") is None

    monkeypatch.setattr(keys, "_tried", float("-inf"))

    assert keys("key-2") is not None


def test_weak_and_foreign_keys_are_left_out():
    weak = rsa.generate_private_key(public_exponent=65537, key_size=1024).public_key()  # noqa: S505  (weak on purpose)
    numbers = weak.public_numbers()
    rows = [
        {"kty": "RSA", "kid": "weak", "n": b64(numbers.n.to_bytes(128, "big")), "e": "AQAB"},
        {"kty": "EC", "kid": "ec"},
        {"kty": "RSA", "kid": "enc", "use": "enc", "n": "AQAB", "e": "AQAB"},
        {"kty": "oct", "kid": "shared", "k": "c2VjcmV0"},
        "text",
    ]

    assert read_keys(json.dumps({"keys": rows})) == {}
    with pytest.raises(ValueError, match="list of keys"):
        read_keys("[]")


def test_the_audience_may_be_the_bare_host(prolific):
    expected = Expected(host="site.example", path="/p/t/", parameters={"A": "1"}, submission="s1")
    claims = {
        "iss": "https://www.prolific.com",
        "sub": "s1",
        "iat": 1000,
        "exp": 1120,
        "prolific": {"A": "1"},
    }
    at = datetime.fromtimestamp(1060, tz=UTC)
    public = {prolific.kid: prolific.key.public_key()}

    for audience in (
        "site.example",
        "https://site.example",
        ["x", "https://site.example:443/p/t/"],
    ):
        check_entry(prolific.sign({**claims, "aud": audience}), public.get, expected, at)
    with pytest.raises(BadEntryToken, match="another site"):
        check_entry(prolific.sign({**claims, "aud": 7}), public.get, expected, at)
