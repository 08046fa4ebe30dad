#!/usr/bin/env python3
"""A collector of spans, and a server that continues traces, both with OpenTelemetry's own packages.

    traces.py collect grpc|http/protobuf PORT   prints a line of JSON for each span
    traces.py serve PORT                        responds with the trace and the parent of the span that it begins

Of the server: /slow responds after 60 s; /flaky?N closes the connection on the first request with that N.
"""

import json
import sys
import threading
import time
from concurrent import futures
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import grpc
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2, trace_service_pb2_grpc
from opentelemetry.proto.trace.v1 import trace_pb2
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.trace import SpanKind
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

printing = threading.Lock()


def value(it):
    return getattr(it, it.WhichOneof("value"))


def take(request):
    """Prints the spans of a request to the collector."""
    for resource_spans in request.resource_spans:
        resource = {it.key: value(it.value) for it in resource_spans.resource.attributes}
        for span in (span for scope in resource_spans.scope_spans for span in scope.spans):
            line = {
                "service": resource["service.name"],
                "instance": resource["service.instance.id"],
                "trace": span.trace_id.hex(),
                "id": span.span_id.hex(),
                "parent": span.parent_span_id.hex(),
                "state": span.trace_state,
                "name": span.name,
                "kind": trace_pb2.Span.SpanKind.Name(span.kind).removeprefix("SPAN_KIND_"),
                "start": span.start_time_unix_nano,
                "end": span.end_time_unix_nano,
                "is_error": span.status.code == trace_pb2.Status.STATUS_CODE_ERROR,
                "attributes": {it.key: value(it.value) for it in span.attributes},
            }
            with printing:
                print(json.dumps(line), flush=True)
    return trace_service_pb2.ExportTraceServiceResponse()


class Collector(trace_service_pb2_grpc.TraceServiceServicer):
    def Export(self, request, context):
        return take(request)


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def respond(self, body):
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


class CollectorHandler(Handler):
    def do_POST(self):
        assert self.path == "/v1/traces" and self.headers["Content-Type"] == "application/x-protobuf"
        body = self.rfile.read(int(self.headers["Content-Length"]))
        response = take(trace_service_pb2.ExportTraceServiceRequest.FromString(body))
        self.respond(response.SerializeToString())


propagator = TraceContextTextMapPropagator()
tracer = TracerProvider().get_tracer("server")
closed = set()


class ServerHandler(Handler):
    # A connection for each request: one that is closed when it is used again counts as the same attempt.
    protocol_version = "HTTP/1.0"

    def do_GET(self):
        # Names of headers have no case.
        context = propagator.extract({name.lower(): value for name, value in self.headers.items()})
        with tracer.start_as_current_span("work", context, SpanKind.SERVER) as span:
            if self.path == "/slow":
                time.sleep(60)
            if self.path.startswith("/flaky") and self.path not in closed:
                closed.add(self.path)
                self.close_connection = True
                return
            own = span.get_span_context()
            line = {
                "trace": f"{own.trace_id:032x}",
                "parent": f"{span.parent.span_id:016x}" if span.parent else "",
                "state": own.trace_state.to_header(),
                "is_recorded": span.is_recording(),
            }
            self.respond(json.dumps(line).encode())


class Server(ThreadingHTTPServer):
    request_queue_size = 1024
    daemon_threads = True

    def handle_error(self, request, client_address):
        """Ignored: clients are expected to give up."""


match sys.argv[1:]:
    case ["collect", "grpc", port]:
        server = grpc.server(futures.ThreadPoolExecutor(4))
        trace_service_pb2_grpc.add_TraceServiceServicer_to_server(Collector(), server)
        server.add_insecure_port(f"127.0.0.1:{port}")
        server.start()
        server.wait_for_termination()
    case ["collect", "http/protobuf", port]:
        Server(("127.0.0.1", int(port)), CollectorHandler).serve_forever()
    case ["serve", port]:
        Server(("127.0.0.1", int(port)), ServerHandler).serve_forever()
