"""Says who it is and what it may do; listens on the unix socket in its first argument, or else on $PORT."""

import http.server
import mmap
import os
import socketserver
import sys


def may_map_code():
    try:
        mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC).close()
        return "yes"
    except PermissionError:
        return "no"


class Server(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        body = f"user {os.getuid()}, code {may_map_code()}, process {os.getpid()}\n".encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def address_string(self):
        return "a client"


class Unix(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    pass


if len(sys.argv) > 1:
    server = Unix(sys.argv[1], Server)
else:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", int(os.environ["PORT"])), Server)
server.serve_forever()
