"""A service of somebody's own, on $PORT: says which headers a request has, one a line, and echoes WebSocket messages."""

import http
import logging
import os

from websockets.sync.server import serve


def respond(connection, request):
    if request.headers.get("Upgrade"):
        return None
    lines = [f"{name.lower()}: {value}" for name, value in request.headers.raw_items()]
    return connection.respond(http.HTTPStatus.OK, "\n".join(sorted(lines)) + "\n")


def echo(connection):
    for message in connection:
        connection.send(message)


# Whoever asks whether it is ready connects and sends nothing, which would be logged as a failure.
logging.getLogger("websockets.server").setLevel(logging.CRITICAL)
with serve(echo, "127.0.0.1", int(os.environ["PORT"]), process_request=respond) as server:
    server.serve_forever()
