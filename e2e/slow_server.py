"""A slow HTTP server: each request takes as many seconds as its `seconds` parameter says.

GET /seen returns the most requests served at once, and the `id` parameters in order of arrival:
{"most_at_once": .., "ids": [..]}. GET /healthz responds to the activator's probes. Usage: slow_server.py PORT
"""

import json
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

lock = threading.Lock()
now = most = 0
ids = []


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_GET(self):
        global now, most
        url = urlsplit(self.path)
        parameters = {name: values[0] for name, values in parse_qs(url.query).items()}
        if url.path == "/healthz":
            return self.answer_bytes(b"queue")
        if url.path == "/seen":
            with lock:
                return self.answer({"most_at_once": most, "ids": ids})
        with lock:
            now += 1
            most = max(most, now)
            ids.append(parameters.get("id"))
        time.sleep(float(parameters.get("seconds", "0")))
        with lock:
            now -= 1
        self.answer(parameters)

    do_POST = do_GET

    def answer(self, value):
        self.answer_bytes(json.dumps(value).encode())

    def answer_bytes(self, body):
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


class Server(ThreadingHTTPServer):
    request_queue_size = 1024
    daemon_threads = True

    def handle_error(self, request, client_address):
        """Ignored: clients are expected to give up."""


Server(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
