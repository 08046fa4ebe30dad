#!/usr/bin/env python3
"""WebSocket, a server that echoes and a client that checks the echoes.

    websocket_echo.py serve PORT                   the server
    websocket_echo.py hold ADDRESS [HEADER=VALUE..]
                                                   the client; it runs until the connection ends
    websocket_echo.py idle ADDRESS SECONDS [HEADER=VALUE..]
                                                   one that is silent for so long

The client prints `open` once messages of all kinds were echoed, and a line for each further one;
both print `closed` and the reason at the end. The silent one prints `open`, and `still open`. Nobody
sends pings by itself.
"""

import logging
import os
import sys
import time

from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect
from websockets.sync.server import serve

PAUSE = 0.1
LIMIT = 20  # Seconds for what takes milliseconds.
MESSAGES = ["", "words", "für später", b"", bytes(range(256)), "x" * 100_000, os.urandom(8 << 20)]


def answer(connection):
    try:
        for message in connection:
            connection.send(message)
    except ConnectionClosed:
        pass
    print("closed", connection.protocol.close_exc, flush=True)


def connected(address, headers):
    return connect(
        f"ws://{address}/echo",
        additional_headers=headers,
        max_size=None,
        proxy=None,
        compression=None,
        ping_interval=None,
        open_timeout=LIMIT,
    )


def hold(address, headers):
    with connected(address, headers) as connection:
        for message in MESSAGES:
            check(connection, message)
        if not connection.ping().wait(LIMIT):
            raise SystemExit("no pong")
        print("open", flush=True)
        number = 0
        try:
            while True:
                number += 1
                check(connection, str(number))
                print("echo", number, flush=True)
                time.sleep(PAUSE)
        except ConnectionClosed as closed:
            print("closed", closed, flush=True)


def idle(address, seconds, headers):
    with connected(address, headers) as connection:
        check(connection, "before")
        print("open", flush=True)
        time.sleep(seconds)
        check(connection, "after")
        print("still open", flush=True)


def check(connection, message):
    connection.send(message)
    echo = connection.recv(timeout=LIMIT)
    if echo != message:
        raise SystemExit(f"{echo!r:.100} instead of {message!r:.100}")


def parsed(headers):
    return dict(header.split("=", 1) for header in headers)


def main():
    match sys.argv[1:]:
        case ["serve", port]:
            # Probes connect and send nothing, which would be logged as failures.
            logging.getLogger("websockets.server").setLevel(logging.CRITICAL)
            with serve(answer, "127.0.0.1", int(port), max_size=None, ping_interval=None) as server:
                server.serve_forever()
        case ["hold", address, *headers]:
            hold(address, parsed(headers))
        case ["idle", address, seconds, *headers]:
            idle(address, float(seconds), parsed(headers))
        case _:
            raise SystemExit(__doc__)


main()
