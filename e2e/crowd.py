"""Many connections that should affect no other client: idle ones, and ones whose request never ends.

Usage: crowd.py ADDRESS:PORT IDLE SLOW [HEADER-LINE..]

Each idle one first gets a response to a request with HEADER-LINEs; each slow one sends a byte of a head
per second. Prints `open` once all are connected. On SIGTERM it prints how many the server has closed, and exits.
"""

import resource
import signal
import socket
import sys
import time

(host, _, port), idle, slow = sys.argv[1].rpartition(":"), int(sys.argv[2]), int(sys.argv[3])
address = host, int(port)
request = "\r\n".join(["GET /1k HTTP/1.1", f"Host: {sys.argv[1]}", *sys.argv[4:], "", ""]).encode()
head = b"GET /1k HTTP/1.1\r\nHost: slow\r\nEndless: "


def connect():
    connection = socket.create_connection(address, timeout=20)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return connection


def connect_and_ask():
    connection = connect()
    connection.sendall(request)
    answer = connection.recv(1 << 16)
    if not answer.startswith(b"HTTP/1.1 200 "):
        raise SystemExit(f"an idle connection got {answer[:100]}")
    return connection


def connect_and_begin():
    connection = connect()
    connection.sendall(head)
    return connection


def has_ended(connection):
    connection.setblocking(False)
    try:
        # The rest of the response may still be buffered.
        while connection.recv(1 << 16):
            pass
    except BlockingIOError:
        return False
    except OSError:
        pass
    return True


def stay(connections):
    """Sends a byte on each, spread evenly over each second."""
    while True:
        for connection in connections:
            try:
                connection.send(b"x")
            except OSError:
                pass  # has_ended sees it, too.
            time.sleep(1 / len(connections))


def stop(*_):
    raise KeyboardInterrupt


_, most = resource.getrlimit(resource.RLIMIT_NOFILE)
if most < idle + slow + 100:
    raise SystemExit(f"{idle + slow + 100} files must be allowed to be open (ulimit -Hn), not {most}")
resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))

idle = [connect_and_ask() for _ in range(idle)]
slow = [connect_and_begin() for _ in range(slow)]
signal.signal(signal.SIGTERM, stop)
print("open", flush=True)
try:
    stay(slow)
except KeyboardInterrupt:
    print(f"{sum(map(has_ended, idle))} idle and {sum(map(has_ended, slow))} slow were closed", flush=True)
