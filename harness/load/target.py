"""Which application is loaded: found or started once, and held to where users can name another.

The web UI's form takes any host at any time, so it is not only asked about at the start.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from http import HTTPStatus
from typing import Any

import flask
import gevent
from locust.argument_parser import ui_extra_args_dict
from locust.env import Environment
from locust.runners import STATE_RUNNING, STATE_SPAWNING
from werkzeug.datastructures import MultiDict

from harness.errors import HarnessError
from harness.load.options import own_options
from harness.load.safety import require_answer, require_own_target
from harness.load.sending import is_same_origin
from harness.load.sending_headers import headers_said
from harness.load.session import Session, say
from harness.served import ServedApplication, serving

__all__ = ["aim", "give_headers", "headers_sent", "hold_to_target", "require_same_target"]

_UNDER_WAY = frozenset({STATE_RUNNING, STATE_SPAWNING})
_OF_FORM = frozenset(
    {
        *("user_count", "spawn_rate", "run_time", "profile"),
        *("host", "user_classes", "shape_class"),
    }
)
"""Fields that Locust's page has by itself."""
_OF_CLASS = frozenset({"user_class_name", "tasks", "weight", "fixed_count", "host"})
"""What that page may set of a class; Locust would set whatever is named."""


def aim(session: Session, environment: Environment) -> None:
    """Find the target, or start it.

    Args:
        session: Of this process, which gets it.
        environment: Locust's, whose users get its address.

    Raises:
        MisuseError: If it may not be loaded, or a header could not be sent.
        UnreachableTargetError: If nothing answers there.
        ServerStartError: If the configured application does not start.
    """
    options = environment.parsed_options
    session.headers = headers_said(options.header if options is not None else (), os.environ)
    if not environment.host:
        say("no --host: serving the configured application")
        session.aimed = session.resources.enter_context(serving(environment={}))
        environment.host = session.aimed.url
    else:
        session.aimed = _named(environment)
    session.host = environment.host
    session.target = session.aimed
    session.headers_host = environment.host
    give_headers(session, environment)


def headers_sent(environment: Environment) -> Mapping[str, str]:
    """What is sent with each request of the present run, besides what the users say themselves."""
    headers: Mapping[str, str] = getattr(environment.parsed_options, "harness_headers", {})
    return headers


def give_headers(session: Session, environment: Environment) -> None:
    """Put the user's headers beside the options, which Locust sends to workers.

    None for another host, which was named in the web UI: whoever reaches its form would get them.
    """
    options = environment.parsed_options
    if options is not None:
        is_meant = is_same_origin(session.host, session.headers_host)
        options.harness_headers = dict(session.headers) if is_meant else {}


def _named(environment: Environment) -> ServedApplication | None:
    host, options = environment.host or "", environment.parsed_options
    is_owned = options is not None and options.i_own_this_target
    require_own_target(host, is_owned=is_owned)
    require_answer(host)
    # Locust puts a path behind it, which begins with a slash.
    environment.host = host.rstrip("/")
    # Whoever owns this process reads the probe itself.
    is_read_here = options is None or not options.owned
    token = os.environ.get("HARNESS_TOKEN") if is_read_here else None
    return ServedApplication(environment.host, token) if token else None


def require_same_target(session: Session, environment: Environment) -> None:
    """As a run begins: the web UI's form can name another host at every start.

    Raises:
        GreenletExit: It is somebody else's.
    """
    options = environment.parsed_options
    host = (environment.host or "").rstrip("/")
    if not host or host == session.host or options is None:
        # A class may have a host of its own, which a field that was emptied would let through.
        environment.host = session.host or environment.host
        return
    try:
        require_own_target(host, is_owned=options.i_own_this_target)
    except HarnessError as error:
        say(str(error))
        environment.host = session.host
        if environment.runner is not None:
            gevent.spawn(environment.runner.stop)
        # The one way not to start of which gevent shows no traceback.
        raise gevent.GreenletExit from error
    session.host = environment.host = host
    # Of any other, nobody knows what the token opens there.
    is_aimed = session.aimed is not None and session.aimed.url == host
    session.target = session.aimed if is_aimed else None


def hold_to_target(session: Session, environment: Environment) -> None:
    """Refuse what the page of the web UI does not ask for, before Locust reads it.

    Locust takes every option from a form, shown there or not: whoever reaches it could own any
    target, and have any file written. And it sets the host before it tells anybody, and nobody at
    all where a run goes on, so that another number of users would be a chance to name another host.
    """
    app = environment.web_ui.app if environment.web_ui is not None else None
    if app is None:
        return

    # Those that scenarios have added themselves are shown, too.
    shown = _OF_FORM | (ui_extra_args_dict().keys() - own_options())

    @app.before_request
    def refuse() -> tuple[dict[str, Any], HTTPStatus] | None:
        request, told, status = flask.request, "", HTTPStatus.BAD_REQUEST
        if request.method == "POST" and request.path.endswith("/swarm"):
            status = HTTPStatus.OK  # else the page would not show why
            told = (
                _why_not_said_here(request.form, shown)
                or _why_not_now(session, environment, request.form)
                or _why_not_there(session, environment, request.form)
            )
        elif request.method == "POST" and request.path.endswith("/user"):
            told = _why_not_of_class(session, request.data)
        if not told:
            return None
        say(told)
        return {"success": False, "message": told, "host": session.host}, status


def _why_not_said_here(names: Iterable[str], known: frozenset[str]) -> str:
    named = ", ".join(repr(name) for name in names if name not in known)
    return f"{named} is said on the command line, or not at all" if named else ""


def _why_not_of_class(session: Session, said: bytes) -> str:
    try:
        settings = json.loads(said)
    except ValueError:
        settings = None
    if not isinstance(settings, dict):
        return "what is to be set of a class is a JSON object"
    if named := ", ".join(repr(name) for name in settings if name not in _OF_CLASS):
        return f"{named} is said in the class, or not at all"
    # The page sends an empty one along where no run has begun.
    if settings.get("host") in (None, "", session.host):
        return ""
    return f"users load {session.host}: another host is named where a run is started"


def _why_not_now(session: Session, environment: Environment, form: MultiDict[str, str]) -> str:
    runner = environment.runner
    if runner is None or runner.state not in _UNDER_WAY:
        return ""
    if form.get("host") not in {None, session.host}:
        return f"this run loads {session.host} to its end: stop it before you name another host"
    running = {each.__name__ for each in environment.user_classes}
    # Locust would look for the users that run among the new classes, and fail from then on.
    chosen = set(form.getlist("user_classes"))
    if chosen and chosen != running:
        names = ", ".join(sorted(running))
        return f"this run has users of {names} to its end: stop it before you choose other classes"
    return ""


def _why_not_there(session: Session, environment: Environment, form: MultiDict[str, str]) -> str:
    """Asked here, too, because whoever sent the form sees what is answered, and not the console."""
    host, options = (form.get("host") or "").rstrip("/"), environment.parsed_options
    if host in {"", session.host} or options is None:
        return ""
    try:
        require_own_target(host, is_owned=options.i_own_this_target)
    except HarnessError as error:
        return f"{error.what}: {error.remedy}"
    return ""
