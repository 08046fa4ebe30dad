"""An HTTP server that is an instance, and writes down what becomes of it.

Lines in JOURNAL: `start PID TIME`, `end PID TIME` (both in ns of the system's clock) and `request PID ID`, in the
order in which they happened. With GATE it listens only once there is such a file.

GET /?seconds=S&id=ID takes S seconds. GET /events?seconds=S sends two events with S silent seconds between them.
POST / responds with the number of bytes that came. Usage: one_machine.py PORT JOURNAL [GATE]
"""

import os
import resource
import signal
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

port, journal, *gate = sys.argv[1:]
journal = os.open(journal, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)


def note(what, value):
    os.write(journal, f"{what} {os.getpid()} {value}\n".encode())


def end(*_):
    note("end", time.time_ns())
    os._exit(0)


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_GET(self):
        url = urlsplit(self.path)
        parameters = {name: values[0] for name, values in parse_qs(url.query).items()}
        seconds = float(parameters.get("seconds", "0"))
        if "id" in parameters:
            note("request", parameters["id"])
        if url.path == "/events":
            return self.events(seconds)
        time.sleep(seconds)
        self.answer(str(os.getpid()))

    def do_POST(self):
        rest = length = int(self.headers["Content-Length"])
        while rest and (piece := self.rfile.read1(rest)):
            rest -= len(piece)
        self.answer(str(length - rest))

    def events(self, seconds):
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(b"data: first\n\n")
        time.sleep(seconds)
        self.wfile.write(b"data: last\n\n")

    def answer(self, text):
        self.send_response(200)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, *_):
        pass


class Server(ThreadingHTTPServer):
    request_queue_size = 1024
    daemon_threads = True

    def handle_error(self, request, client_address):
        """Ignored: probes are expected to give up."""


_, most = resource.getrlimit(resource.RLIMIT_NOFILE)
resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
note("start", time.time_ns())
signal.signal(signal.SIGTERM, end)
while gate and not os.path.exists(gate[0]):
    time.sleep(0.01)
Server(("127.0.0.1", int(port)), Handler).serve_forever()
