"""A parent that owns the listening sockets and restarts the activator under load, as a service manager does.

Clients connect continuously, one request per connection. Half of the restarts start the next process before
they stop the current one, the others stop it first. Fails if a single request fails. Prints a summary.
Usage: handover.py PROGRAM CONFIG PATH HEADER... (a header is NAME:VALUE)
"""

import fcntl
import os
import signal
import socket
import sys
import tempfile
import threading
import time

PATIENCE = 30
CLIENTS = 8
RESTARTS = 10
PAUSE = 0.3

program, config, path, *headers = sys.argv[1:]
lock = threading.Lock()
over = threading.Event()
answered = 0
slowest = 0.0
failures = []


def listening(port=0):
    """A socket that shares its port, with a number that does not clash with those of the child."""
    opened = socket.socket()
    opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    opened.bind(("127.0.0.1", port))
    opened.listen(4096)
    high = fcntl.fcntl(opened, fcntl.F_DUPFD_CLOEXEC, 100)
    opened.close()
    return socket.socket(fileno=high)


# One per worker.
first = listening()
address = first.getsockname()
sockets = {"http": [first, listening(address[1])], "admin": [listening()]}
names = [name for name, several in sockets.items() for _ in several]
descriptors = [it.fileno() for several in sockets.values() for it in several]

manager = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
directory = tempfile.TemporaryDirectory()
manager.bind(os.path.join(directory.name, "notify"))
manager.settimeout(PATIENCE)


def await_state(expected):
    state = manager.recv(64).decode()
    assert state == expected, f"{state!r} instead of {expected!r}"


def start():
    environment = {
        "LISTEN_FDS": str(len(descriptors)),
        "LISTEN_FDNAMES": ":".join(names),
        "NOTIFY_SOCKET": manager.getsockname(),
    }
    arguments = ["--config", config, "--workers", "2", "--listen-http2", "off", "--log", "warn"]
    # Only the process itself knows its pid.
    shell = ["sh", "-c", 'LISTEN_PID=$$ exec "$0" "$@"', program, *arguments]
    actions = [(os.POSIX_SPAWN_DUP2, it, 3 + place) for place, it in enumerate(descriptors)]
    process = os.posix_spawn("/bin/sh", shell, environment, file_actions=actions)
    await_state("READY=1")
    return process


def stop(process):
    os.kill(process, signal.SIGTERM)
    await_state("STOPPING=1")
    _, status = os.waitpid(process, 0)
    assert os.waitstatus_to_exitcode(status) == 0, f"it ended with {status}"


def client():
    global answered, slowest
    lines = [f"GET {path} HTTP/1.1", "Host: proxy", "Connection: close", *headers, "", ""]
    request = "\r\n".join(lines).encode()
    while not over.is_set():
        begin = time.monotonic()
        try:
            with socket.create_connection(address, timeout=PATIENCE) as connection:
                connection.sendall(request)
                answer = b"".join(iter(lambda: connection.recv(65536), b""))
        except OSError as error:
            answer = repr(error).encode()
        head, _, body = answer.partition(b"\r\n\r\n")
        complete = f"content-length: {len(body)}\r\n".encode() in head.lower() + b"\r\n"
        with lock:
            if head.startswith(b"HTTP/1.1 200 ") and complete:
                answered += 1
                slowest = max(slowest, time.monotonic() - begin)
            else:
                failures.append(answer[:200])
        time.sleep(0.002)


process = start()
clients = [threading.Thread(target=client) for _ in range(CLIENTS)]
try:
    for thread in clients:
        thread.start()
    for restart in range(RESTARTS):
        time.sleep(PAUSE)
        if restart % 2:
            stop(process)
            process = start()
        else:
            old, process = process, start()
            time.sleep(PAUSE)
            stop(old)
    time.sleep(PAUSE)
finally:
    over.set()
    for thread in clients:
        thread.join()
    stop(process)

print(f"{RESTARTS} restarts: {answered} requests answered, {len(failures)} failed, the slowest took {slowest * 1000:.0f} ms")
for failure in failures[:5]:
    print(failure)
if failures or answered < RESTARTS * CLIENTS:
    sys.exit(1)
