"""An HTTP server that echoes each chunk of a PUT as soon as it arrives.

Usage: echo_server.py PORT
"""

import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_PUT(self):
        self.send_response(200)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        size = None
        while size != 0:
            line = self.rfile.readline()
            size = int(line, 16)
            self.wfile.write(line + self.rfile.read(size + len(b"\r\n")))

    def log_message(self, *_):
        pass


ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
