#!/usr/bin/env python3
"""gRPC in all four shapes, with raw bytes as messages, so that no code needs to be generated.

    grpc_shapes.py serve PORT                   the server
    grpc_shapes.py call ADDRESS [KEY=VALUE..]   one call of each shape, and calls that end in each way
    grpc_shapes.py stream ADDRESS MIB [KEY=VALUE..]
                                                MIB up and down at the same time

KEY=VALUE is metadata for each call.
"""

import os
import sys
import threading
from concurrent import futures
from queue import SimpleQueue

import grpc

SERVICE = "e2e.Shapes"
TRAILERS = (("answered-by", "the server"), ("raw-bin", bytes(range(256))))
MIB = 1 << 20
OPTIONS = [
    ("grpc.enable_http_proxy", 0),
    ("grpc.max_receive_message_length", 8 * MIB),
]
LIMIT = 20  # Seconds for what takes milliseconds.


class Shapes:
    """The methods, each named after its shape or the way in which it ends."""

    def __init__(self):
        # By the name in the call.
        self.ended = {}

    def unary(self, request, context):
        metadata = dict(context.invocation_metadata())
        context.send_initial_metadata((("heard", metadata.get("said", "")),))
        context.set_trailing_metadata(TRAILERS)
        return request

    def upload(self, requests, context):
        context.set_trailing_metadata(TRAILERS)
        return b"".join(requests)

    def download(self, request, context):
        for number in range(int(request)):
            yield str(number).encode()
        context.set_trailing_metadata(TRAILERS)

    def echo(self, requests, context):
        yield from requests
        context.set_trailing_metadata(TRAILERS)

    def fail(self, _, context):
        context.set_trailing_metadata(TRAILERS)
        context.abort(grpc.StatusCode.FAILED_PRECONDITION, "not today: 100 % für später")

    def wait(self, name, context):
        ended = self.ended[name] = threading.Event()
        context.add_callback(ended.set)
        yield b"waiting"
        ended.wait(2 * LIMIT)

    def has_ended(self, name, _):
        return str(self.ended[name].wait(LIMIT)).encode()


def serve(port):
    shapes = Shapes()
    handlers = {
        "Unary": grpc.unary_unary_rpc_method_handler(shapes.unary),
        "Upload": grpc.stream_unary_rpc_method_handler(shapes.upload),
        "Download": grpc.unary_stream_rpc_method_handler(shapes.download),
        "Echo": grpc.stream_stream_rpc_method_handler(shapes.echo),
        "Fail": grpc.unary_unary_rpc_method_handler(shapes.fail),
        "Wait": grpc.unary_stream_rpc_method_handler(shapes.wait),
        "HasEnded": grpc.unary_unary_rpc_method_handler(shapes.has_ended),
    }
    server = grpc.server(futures.ThreadPoolExecutor(16), options=OPTIONS)
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(SERVICE, handlers),))
    server.add_insecure_port(f"127.0.0.1:{port}")
    server.start()
    server.wait_for_termination()


class Client:
    def __init__(self, address, metadata):
        self.channel = grpc.insecure_channel(address, options=OPTIONS)
        self.metadata = metadata

    def call(self, shape, method, request, more=(), timeout=LIMIT):
        method = getattr(self.channel, shape)(f"/{SERVICE}/{method}")
        options = {"metadata": (*self.metadata, *more), "timeout": timeout}
        # Unary responses expose their trailers only through with_call.
        if shape.endswith("_unary"):
            return method.with_call(request, **options)
        return method(request, **options)


def check(what, seen, wanted):
    if seen != wanted:
        raise SystemExit(f"{what}: {seen!r:.200} instead of {wanted!r:.200}")


def check_trailers(what, call):
    trailers = {key: value for key, value in call.trailing_metadata() if key in dict(TRAILERS)}
    check(f"{what}, trailers", trailers, dict(TRAILERS))
    check(f"{what}, status", call.code(), grpc.StatusCode.OK)


def status(call):
    """How a call that must fail ends."""
    try:
        call()
    except grpc.RpcError as error:
        return error
    raise SystemExit("a call that must fail went well")


def call(address, metadata):
    client = Client(address, metadata)

    large = os.urandom(3 * MIB)
    for message in (b"", b"hello", large):
        answer, ended = client.call("unary_unary", "Unary", message, (("said", "words"),))
        check("unary", answer, message)
        check("unary, initial metadata", dict(ended.initial_metadata()).get("heard"), "words")
        check_trailers("unary", ended)

    parts = [os.urandom(size) for size in (0, 1, 100_000, MIB)]
    answer, ended = client.call("stream_unary", "Upload", iter(parts))
    check("client streaming", answer, b"".join(parts))
    check_trailers("client streaming", ended)

    answers = client.call("unary_stream", "Download", b"1000")
    check("server streaming", [int(answer) for answer in answers], list(range(1000)))
    check_trailers("server streaming", answers)

    # Each message is sent once the response to the previous one has arrived.
    messages = SimpleQueue()
    answers = client.call("stream_stream", "Echo", iter(messages.get, None))
    for number in range(200):
        messages.put(str(number).encode())
        check("both streaming", next(answers), str(number).encode())
    messages.put(None)
    check("both streaming, the end", list(answers), [])
    check_trailers("both streaming", answers)

    error = status(lambda: client.call("unary_unary", "Fail", b""))
    check("failure", error.code(), grpc.StatusCode.FAILED_PRECONDITION)
    check("failure, details", error.details(), "not today: 100 % für später")
    check("failure, trailers", dict(error.trailing_metadata())["answered-by"], "the server")

    waiting = client.call("unary_stream", "Wait", b"cancelled")
    check("before the cancellation", next(waiting), b"waiting")
    waiting.cancel()
    check("the server hears of it", client.call("unary_unary", "HasEnded", b"cancelled")[0], b"True")

    waiting = client.call("unary_stream", "Wait", b"too long", timeout=2)
    check("before the deadline", next(waiting), b"waiting")
    error = status(lambda: list(waiting))
    check("deadline", error.code(), grpc.StatusCode.DEADLINE_EXCEEDED)
    check("the server hears of it", client.call("unary_unary", "HasEnded", b"too long")[0], b"True")

    error = status(lambda: client.call("unary_unary", "NoSuchMethod", b""))
    check("unknown method", error.code(), grpc.StatusCode.UNIMPLEMENTED)


def stream(address, mib, metadata):
    noise = os.urandom(2 * MIB)

    def message(number):
        start = number * 4099 % MIB
        return noise[start : start + MIB]

    answers = Client(address, metadata).call(
        "stream_stream", "Echo", map(message, range(mib)), timeout=300
    )
    count = 0
    for count, answer in enumerate(answers, 1):
        if answer != message(count - 1):
            raise SystemExit(f"message {count} differs")
    check("messages", count, mib)
    check_trailers("stream", answers)


def pairs(words):
    return tuple(tuple(word.split("=", 1)) for word in words)


def main():
    match sys.argv[1:]:
        case ["serve", port]:
            serve(port)
        case ["call", address, *metadata]:
            call(address, pairs(metadata))
        case ["stream", address, mib, *metadata]:
            stream(address, int(mib), pairs(metadata))
        case _:
            raise SystemExit(__doc__)


main()
