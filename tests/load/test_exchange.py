"""Requests on connections of their own, as users send them that leave or read slowly."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.load.conftest import CountingServer, Generator

_SCENARIO = """
import socket, ssl
from locust import constant, task
from harness.load.exchange import FAILURES, Head, exchange, tell
from harness.load.users import HarnessUser

OPTIONS = ()
HOST = ""
PATH = "/pages/1"
NAME = "GET /"

class Visitor(HarnessUser):
    wait_time = constant(0.05)

    @task
    def page(self) -> None:
        self.host = HOST or self.host
        try:
            with exchange(self, PATH, options=OPTIONS) as connection:
                tell(self, NAME, began_seconds=0, head=Head(connection.getresponse().status))
        except FAILURES as error:
            tell(self, NAME, began_seconds=0, error=error)
"""
_ALOUD = """
def spoken(what, of):
    def call(*arguments, **more):
        print(what, arguments[-2:] if what == "LOOKED UP" else "", flush=True)
        return of(*arguments, **more)
    return call

"""
_LOADING = f"""{_ALOUD}
ssl.SSLContext.load_default_certs = spoken("LOADED", ssl.SSLContext.load_default_certs)
"""
_LOOKING = f"""{_ALOUD}
HOST = "http://[::1]"
socket.getaddrinfo = spoken("LOOKED UP", socket.getaddrinfo)
"""

_WITH_A_STRANGER = """
resolved = socket.getaddrinfo
def with_a_stranger(*asked, **more):
    return [(100, socket.SOCK_STREAM, 6, "", ("::1", 1, 0, 0)), *resolved(*asked, **more)]
socket.getaddrinfo = with_a_stranger
"""


def _with(generator: Generator, *, more: str) -> Generator:
    generator.scenario.write_text(_SCENARIO + more, encoding="utf-8")
    return generator


def test_an_option_that_the_kernel_refuses_is_left_out(
    server: CountingServer, generator: Generator
) -> None:
    refused = "OPTIONS = ((socket.IPPROTO_TCP, socket.TCP_MAXSEG, 1),)"

    code, said = _with(generator, more=refused).run("-t", "1s", "--stop-timeout", "5")

    assert (code, generator.result.tally.failures) == (0, 0), said
    assert len(server.answered) > 0


def test_an_address_of_a_family_that_the_kernel_lacks_is_passed_over(
    server: CountingServer, generator: Generator
) -> None:
    code, said = _with(generator, more=_WITH_A_STRANGER).run("-t", "1s", "--stop-timeout", "5")

    assert (code, generator.result.tally.failures) == (0, 0), said
    assert len(server.answered) > 0


def test_a_path_is_sent_as_browsers_do(server: CountingServer, generator: Generator) -> None:
    odd = 'PATH = "/größe?name=a b"'

    code, said = _with(generator, more=odd).run("-t", "1s", "--stop-timeout", "5")

    assert (code, generator.result.tally.failures) == (0, 0), said
    assert set(server.answered) == {"/gr%C3%B6%C3%9Fe?name=a%20b"}


@pytest.mark.usefixtures("server")
def test_a_name_without_a_method_is_counted_as_what_is_sent(generator: Generator) -> None:
    _with(generator, more='NAME = "/"').run("-t", "1s", "--stop-timeout", "5")

    assert set(generator.result.tally.routes) == {"GET /"}


def test_an_ipv6_address_without_a_port_is_asked_at_that_of_its_scheme(
    generator: Generator,
) -> None:
    _, said = _with(generator, more=_LOOKING).run("-t", "1s")

    assert "LOOKED UP ('::1', 80)" in said


@pytest.mark.usefixtures("server")
def test_the_machines_certificates_are_not_loaded_for_each_request(generator: Generator) -> None:
    """What answers speaks no TLS: the requests fail, after all that is done to send them."""
    secure = replace(generator, url=generator.url.replace("http:", "https:"))

    _, said = _with(secure, more=_LOADING).run("-t", "1s", "--stop-timeout", "5")

    assert generator.result.tally.requests > generator.result.users
    assert said.count("LOADED") == 0
