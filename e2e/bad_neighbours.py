#!/usr/bin/env python3
"""Subjects a well-behaved revision to all kinds of bad neighbours at once, and measures how it fares.

    bad_neighbours.py ACTIVATOR SECONDS

The activator is limited to 1,024 open files, and its standard error is not read. One of its revisions has a backend
that accepts connections and closes them, one a host that has vanished (a network namespace that drops all packets), and
one an HTTP/2 backend that allows no further streams after each response. 40 scrapers read /metrics, and idle clients
occupy all connections. Meanwhile the revision `good` must not lose a request, and the first request of an idle revision
must be reported at once, as the sink's output shows.

Needs root, for the namespace, and the programs ip, prlimit and h2load.
"""

import http.client
import json
import multiprocessing
import os
import re
import signal
import socket
import statistics
import struct
import subprocess
import sys
import tempfile
import threading
import time

FILES = 1024
# Clients connected at once: the load, the one that measures, and idle ones.
PLACES = 32
IDLE = 10
LOAD = 4
SCRAPERS = 40
HOARDED = 4
FIRST_REPORT = 0.1
NAMESPACE = f"neighbour-{os.getpid()}"
# A separate link for the host that vanishes (RFC 5737).
HERE, THERE = "198.51.100.1", "198.51.100.2"
PORT = 8080


def response(body=b"ok"):
    return b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body)


def listen(address="127.0.0.1", port=0):
    return socket.create_server((address, port), backlog=1024)


def each_connection(listener, serve):
    def accept():
        while True:
            connection, _ = listener.accept()
            threading.Thread(target=quietly, args=(serve, connection), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()


def quietly(serve, connection):
    with connection:
        try:
            serve(connection)
        except OSError:
            pass


def serve_well(connection):
    received = b""
    while part := connection.recv(65536):
        received += part
        while b"\r\n\r\n" in received:
            received = received.split(b"\r\n\r\n", 1)[1]
            connection.sendall(response())


def serve_never(connection):
    time.sleep(0.002)


def frame(kind, flags, stream, payload=b""):
    return struct.pack(">I", len(payload))[1:] + struct.pack(">BBI", kind, flags, stream) + payload


def hoard(connection):
    """An HTTP/2 backend that allows no further streams after each response."""
    stream = connection.makefile("rb")
    stream.read(24)
    connection.sendall(frame(4, 0, 0))
    while head := stream.read(9):
        length = int.from_bytes(head[:3], "big")
        kind, flags, number = struct.unpack(">BBI", head[3:])
        payload = stream.read(length)
        if kind == 4 and not flags & 1:
            connection.sendall(frame(4, 1, 0))
        elif kind == 6 and not flags & 1:
            connection.sendall(frame(6, 1, 0, payload))
        elif kind == 1:
            # :status 200, without a body.
            connection.sendall(frame(1, 5, number, b"\x88"))
            connection.sendall(frame(4, 0, 0, struct.pack(">HI", 3, 0)))


def head(revision, more="", method="GET"):
    choose = f"Knative-Serving-Namespace: default\r\nKnative-Serving-Revision: {revision}\r\n"
    return f"{method} / HTTP/1.1\r\nHost: neighbours\r\n{choose}{more}\r\n".encode()


def in_background(play, *arguments):
    """Runs a bad neighbour in its own process, at a lower priority than the measurements."""

    def run():
        os.nice(10)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        play(*arguments)

    process = multiprocessing.get_context("fork").Process(target=run, daemon=True)
    process.start()
    return process


def for_ever(count, act, pause):
    def loop():
        while True:
            try:
                act()
            except (OSError, http.client.HTTPException):
                pass
            time.sleep(pause)

    threads = [threading.Thread(target=loop, daemon=True) for _ in range(count)]
    for thread in threads:
        thread.start()
    threading.Event().wait()


def ask(address, revision, method, limit):
    with socket.create_connection(address, timeout=limit) as connection:
        connection.sendall(head(revision, "Connection: close\r\n", method))
        while connection.recv(65536):
            pass


def scrape(admin):
    connection = http.client.HTTPConnection(*admin, timeout=10)
    connection.request("GET", "/metrics")
    connection.getresponse().read()
    connection.close()


def stay_idle(address):
    """Sends one request, then occupies the connection as long as possible."""
    with socket.create_connection(address, timeout=60) as connection:
        connection.sendall(head("good"))
        while connection.recv(65536):
            pass


def hoarders(address):
    """HTTP/2 clients, one run after the other."""
    command = ["h2load", "-n", "200", "-c", "4", "-m", "10", "-T", "5", "-N", "5"]
    for line in ("Knative-Serving-Namespace: default", "Knative-Serving-Revision: hoard"):
        command += ["-H", line]
    while True:
        subprocess.run(
            [*command, "http://%s:%d/" % address], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )


class VanishingHost:
    """A host at the other end of a link, until it drops all packets."""

    def __enter__(self):
        near, far = f"nb{os.getpid() % 100_000}a", f"nb{os.getpid() % 100_000}b"
        self.near = near
        ip("netns", "add", NAMESPACE)
        ip("link", "add", near, "type", "veth", "peer", "name", far, "netns", NAMESPACE)
        ip("address", "add", f"{HERE}/30", "dev", near)
        ip("link", "set", near, "up")
        self.inside("address", "add", f"{THERE}/30", "dev", far)
        self.inside("link", "set", far, "up")
        self.far = far
        enter = ["ip", "netns", "exec", NAMESPACE, sys.executable, __file__, "--serve", THERE]
        self.server = subprocess.Popen(enter, stdout=subprocess.PIPE)
        self.server.stdout.readline()
        return self

    def vanish(self):
        # The link stays up, so nothing on this side notices.
        hardware = json.loads(ip("-json", "-n", NAMESPACE, "link", "show", self.far))[0]["address"]
        ip("neighbour", "replace", THERE, "lladdr", hardware, "dev", self.near, "nud", "permanent")
        self.inside("address", "flush", "dev", self.far)

    def inside(self, *arguments):
        return ip("-n", NAMESPACE, *arguments)

    def __exit__(self, *_):
        self.server.kill()
        # Otherwise the namespace lives as long as its connections.
        ip("link", "delete", self.near)
        ip("netns", "delete", NAMESPACE)


def ip(*arguments):
    return subprocess.run(["ip", *arguments], check=True, stdout=subprocess.PIPE).stdout


def address_of(listener):
    return "%s:%d" % listener.getsockname()


def free_port():
    with listen() as listener:
        return listener.getsockname()[1]


def configuration(http_port, admin_port, backends, firsts):
    lines = [
        f'[listen]\nhttp = "127.0.0.1:{http_port}"\nhttp2 = "off"\nadmin = "127.0.0.1:{admin_port}"',
        f"[limits]\nmax_connections = {PLACES}\nconnect_timeout = \"2s\"",
        '[[sink]]\nkind = "json-lines"',
    ]
    for name, backend in [*backends.items(), *((first, backends["good"]) for first in firsts)]:
        probe = "none" if name in ("vanished", "flapping", "hoard") else "tcp"
        lines.append(
            f'[[revision]]\nnamespace = "default"\nname = "{name}"\nprobe = "{probe}"\nbackends = ["{backend}"]'
        )
    return "\n".join(lines) + "\n"


class Load:
    """Clients of the well-behaved revision, on connections that stay open."""

    def __init__(self, address):
        self.address, self.served, self.lost, self.worst = address, 0, [], 0.0
        self.is_over = threading.Event()
        self.threads = [threading.Thread(target=self.run) for _ in range(LOAD)]
        for thread in self.threads:
            thread.start()

    def run(self):
        connection = http.client.HTTPConnection(*self.address, timeout=20)
        headers = {"Knative-Serving-Namespace": "default", "Knative-Serving-Revision": "good"}
        while not self.is_over.is_set():
            begin = time.monotonic()
            try:
                connection.request("GET", "/", headers=headers)
                answer = connection.getresponse()
                body = answer.read()
                if (answer.status, body) != (200, b"ok"):
                    self.lost.append(f"{answer.status} {body[:200]}")
            except (OSError, http.client.HTTPException) as error:
                self.lost.append(repr(error))
                connection.close()
            self.served += 1
            self.worst = max(self.worst, time.monotonic() - begin)
            time.sleep(0.005)

    def end(self):
        self.is_over.set()
        for thread in self.threads:
            thread.join()


class Reports:
    """When the sink first reported a revision."""

    def __init__(self, stdout):
        self.seen, self.changed = {}, threading.Condition()
        threading.Thread(target=self.read, args=(stdout,), daemon=True).start()

    def read(self, stdout):
        for line in stdout:
            now = time.monotonic()
            with self.changed:
                for first in re.findall(rb"first-\d+", line):
                    self.seen.setdefault(first, now)
                self.changed.notify_all()

    def after(self, name, begin):
        with self.changed:
            self.changed.wait_for(lambda: name.encode() in self.seen, timeout=20)
            return self.seen.get(name.encode(), begin + 20) - begin


def exchange(address, name):
    """Sends one request on a new connection, and reads the response."""
    with socket.create_connection(address, timeout=20) as connection:
        connection.sendall(head(name, "Connection: close\r\n"))
        got = b""
        while not got.endswith(b"\r\n\r\nok"):
            part = connection.recv(65536)
            assert part, got
            got += part
    assert got.startswith(b"HTTP/1.1 200 "), got


def direct(address):
    """The control: how long a request takes directly to the backend, on the same busy machine."""
    begin = time.monotonic()
    exchange(address, "control")
    return time.monotonic() - begin


def first_report(address, reports, name):
    """How long it takes until the first request to an idle revision is reported."""
    begin = time.monotonic()
    exchange(address, name)
    return reports.after(name, begin)


def main(program, seconds):
    firsts = [f"first-{number}" for number in range(seconds * 4)]
    # Each has its own descriptors.
    listeners = {name: listen() for name in ("good", "flapping", "hoard")}
    for name, serve in (("good", serve_well), ("flapping", serve_never), ("hoard", hoard)):
        in_background(lambda name=name, serve=serve: (each_connection(listeners[name], serve), threading.Event().wait()))
    backends = {name: address_of(listener) for name, listener in listeners.items()}
    backends["vanished"] = f"{THERE}:{PORT}"
    http_address, admin = ("127.0.0.1", free_port()), ("127.0.0.1", free_port())
    with VanishingHost() as host, tempfile.NamedTemporaryFile("w", suffix=".toml") as file:
        file.write(configuration(http_address[1], admin[1], backends, firsts))
        file.flush()
        limit = ["prlimit", f"--nofile={FILES}:{FILES}"]
        activator = subprocess.Popen(
            [*limit, program, "--config", file.name], stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        try:
            play(activator, host, http_address, admin, listeners["good"].getsockname(), firsts, seconds)
        finally:
            activator.kill()


def play(activator, host, address, admin, backend, firsts, seconds):
    # The measurements do not wait for the other clients.
    sys.setswitchinterval(0.0005)
    reports = Reports(activator.stdout)
    wait_until_ready(admin)
    # It vanishes while connections to it are open.
    for _ in range(5):
        ask(address, "vanished", "GET", 5)
    host.vanish()
    in_background(for_ever, IDLE, lambda: stay_idle(address), 0.5)
    in_background(for_ever, SCRAPERS, lambda: scrape(admin), 0.02)
    in_background(for_ever, 4, lambda: ask(address, "flapping", "GET", 2), 0.01)
    in_background(for_ever, 2, lambda: ask(address, "flapping", "POST", 2), 0.01)
    in_background(for_ever, 4, lambda: ask(address, "vanished", "GET", 5), 0.1)
    in_background(hoarders, address)
    time.sleep(2)
    load = Load(address)
    begin, latencies, controls = time.monotonic(), [], []
    for name in firsts:
        controls.append(direct(backend))
        latencies.append(first_report(address, reports, name))
        left = begin + seconds - time.monotonic()
        if left <= 0:
            break
        time.sleep(min(left, 0.25))
    load.end()
    median, worst = statistics.median(latencies), max(latencies)
    control = max(controls)
    print(
        f"{load.served} requests, {len(load.lost)} lost, the slowest after {load.worst * 1000:.0f} ms; "
        f"{len(latencies)} first reports, after {median * 1000:.1f} ms in the median, {worst * 1000:.1f} ms at worst; "
        f"directly {statistics.median(controls) * 1000:.1f} and {control * 1000:.1f} ms",
        flush=True,
    )
    files = len(os.listdir(f"/proc/{activator.pid}/fd"))
    print(f"{files} files open at the end", flush=True)
    assert not load.lost, load.lost[:5]
    assert median < FIRST_REPORT, median
    # One may wait for an idle client to disconnect. Delays of the machine itself are not the activator's.
    assert worst < 5 * FIRST_REPORT + control, sorted(latencies)[-5:]
    # It stops even though its log was never read.
    activator.send_signal(signal.SIGTERM)
    assert activator.wait(40) == 0, activator.returncode


def wait_until_ready(admin):
    for _ in range(500):
        try:
            connection = http.client.HTTPConnection(*admin, timeout=5)
            connection.request("GET", "/readyz")
            if connection.getresponse().status == 200:
                return
        except OSError:
            pass
        time.sleep(0.02)
    raise AssertionError("the activator is not ready")


if __name__ == "__main__":
    if sys.argv[1] == "--serve":
        each_connection(listen(sys.argv[2], PORT), serve_well)
        print("ready", flush=True)
        threading.Event().wait()
    main(sys.argv[1], int(sys.argv[2]))
