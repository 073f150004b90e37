"""Encrypted connections: whose certificate is accepted, and what is said of others."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import trustme

from collector.mqtt.broker import BrokerAddress, MqttError, Tls
from collector.mqtt.publish import publish_now
from tests.fix_broker import HOST, TestBroker, free_port, running

YESTERDAY = datetime.now(UTC) - timedelta(days=1)
LISTENER = """
allow_anonymous true
cafile {folder}/authority.pem
certfile {folder}/server.pem
keyfile {folder}/server.pem
require_certificate true
"""


def written(certificate: trustme.LeafCert, path: Path) -> Path:
    """Write key and certificate into one file."""
    certificate.private_key_and_cert_chain_pem.write_to_path(str(path))
    return path


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def broker(tmp_path, authority, request):
    """Return the address of a Mosquitto that wants certificates."""
    until = getattr(request, "param", None)
    authority.cert_pem.write_to_path(str(tmp_path / "authority.pem"))
    server = authority.issue_cert(HOST, not_after=until)
    written(server, tmp_path / "server.pem")
    guarded = TestBroker("mosquitto", tmp_path, LISTENER.format(folder=tmp_path))
    ours = written(authority.issue_cert("collector@site"), tmp_path / "ours.pem")
    with running(guarded):
        yield replace(
            guarded.address, tls=Tls(tmp_path / "authority.pem", cert_file=ours)
        )


def refusal(broker: BrokerAddress) -> str:
    with pytest.raises(MqttError) as caught:
        publish_now(broker, "x", b"")
    return str(caught.value)


def test_both_show_a_certificate(broker) -> None:
    publish_now(broker, "x", b"1")


def test_key_and_certificate_may_lie_in_two_files(broker, authority, tmp_path) -> None:
    certificate = authority.issue_cert("other@site")
    certificate.cert_chain_pems[0].write_to_path(str(tmp_path / "cert.pem"))
    certificate.private_key_pem.write_to_path(str(tmp_path / "key.pem"))
    tls = Tls(broker.tls.ca_file, tmp_path / "cert.pem", tmp_path / "key.pem")
    publish_now(replace(broker, tls=tls), "x", b"1")


def test_a_broker_of_an_unknown_authority_is_not_spoken_to(broker) -> None:
    said = refusal(replace(broker, tls=Tls()))
    assert said.startswith(
        f"The certificate of the MQTT broker at {broker} is not accepted ("
    )
    assert said.endswith(
        "): renew it, or name its authority in KEYWATT_BROKER_CA_FILE."
    )


@pytest.mark.parametrize("broker", [YESTERDAY], indirect=True)
def test_a_brokers_expired_certificate_is_one_sentence(broker) -> None:
    assert refusal(broker) == (
        f"The certificate of the MQTT broker at {broker} is not accepted (certificate "
        "has expired): renew it, or name its authority in KEYWATT_BROKER_CA_FILE."
    )


def test_our_expired_certificate_is_one_sentence(broker, authority, tmp_path) -> None:
    expired = authority.issue_cert("late@site", not_after=YESTERDAY)
    old = written(expired, tmp_path / "old.pem")
    said = refusal(replace(broker, tls=replace(broker.tls, cert_file=old)))
    assert said.startswith(
        f"The MQTT broker at {broker} does not accept our certificate ("
    )
    assert "certificate expired" in said


def test_without_a_certificate_the_broker_says_so(broker) -> None:
    said = refusal(replace(broker, tls=Tls(broker.tls.ca_file)))
    assert "does not accept our certificate" in said


@pytest.mark.parametrize(
    ("tls", "named"),
    [
        pytest.param(Tls(Path("none.pem")), "none.pem", id="no authority"),
        pytest.param(Tls(None, Path("none.pem")), "none.pem", id="no certificate"),
        pytest.param(
            Tls(None, Path(__file__), Path("none.key")), "none.key", id="no key"
        ),
        pytest.param(Tls(Path(__file__)), __file__, id="no certificate in it"),
        pytest.param(Tls(None, Path(__file__)), __file__, id="no key in it"),
    ],
)
def test_a_file_that_cannot_be_used_is_named(tls, named) -> None:
    broker = BrokerAddress(host=HOST, port=free_port(), tls=tls)
    assert refusal(broker).startswith(f"{named} cannot be used to connect to the MQTT")


def test_a_port_without_encryption_is_one_sentence(mosquitto, broker) -> None:
    said = refusal(replace(mosquitto, tls=broker.tls))
    assert str(mosquitto) in said
