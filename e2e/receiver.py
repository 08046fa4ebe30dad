#!/usr/bin/env python3
"""A receiver of stat messages that shares no code with the activator.

    receiver.py serve PORT RECORD       receives stat messages on 127.0.0.1 and appends them to RECORD
    receiver.py report RECORD [FILE]    prints the content of RECORD as one line of JSON

A frame counts as received once it is in the record. Only then is the pong sent, so a frame that the
sender considers confirmed survives SIGKILL: data accepted by write(2) is with the kernel.

Signals: SIGTERM closes all links with 1012 and exits; SIGUSR1 closes them with 1012 and continues.

FILE lists the frames that the sender considers confirmed, one number per line. Their sums are reported
separately from the totals, which include frames that were delivered more than once.
"""

import json
import os
import selectors
import signal
import socket
import struct
import sys
import time
from collections import Counter

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from websockets.frames import Opcode
from websockets.http11 import Request
from websockets.protocol import State
from websockets.server import ServerProtocol

SERVICE_RESTART = 1012


def stat_messages_class():
    """The schema of Knative's autoscaler (proto3, package metrics), written out by hand."""
    field = descriptor_pb2.FieldDescriptorProto
    file = descriptor_pb2.FileDescriptorProto(
        name="stat.proto", package="metrics", syntax="proto3"
    )

    def message(name, fields):
        described = file.message_type.add(name=name)
        for number, (field_name, kind, label, type_name) in fields.items():
            described.field.add(
                name=field_name, number=number, type=kind, label=label, type_name=type_name
            )

    def one(name, kind, type_name=None):
        return name, kind, field.LABEL_OPTIONAL, type_name

    message(
        "Stat",
        {
            1: one("pod_name", field.TYPE_STRING),
            2: one("average_concurrent_requests", field.TYPE_DOUBLE),
            3: one("average_proxied_concurrent_requests", field.TYPE_DOUBLE),
            4: one("request_count", field.TYPE_DOUBLE),
            5: one("proxied_request_count", field.TYPE_DOUBLE),
            6: one("process_uptime", field.TYPE_DOUBLE),
            7: one("timestamp", field.TYPE_INT64),
        },
    )
    message(
        "WireStatMessage",
        {
            1: one("namespace", field.TYPE_STRING),
            2: one("name", field.TYPE_STRING),
            3: one("stat", field.TYPE_MESSAGE, ".metrics.Stat"),
        },
    )
    repeated = ("messages", field.TYPE_MESSAGE, field.LABEL_REPEATED, ".metrics.WireStatMessage")
    message("WireStatMessages", {1: repeated})
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(
        pool.FindMessageTypeByName("metrics.WireStatMessages")
    )


class Record:
    """An append-only file with one JSON object per line."""

    def __init__(self, path):
        self.file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
        # SIGKILL may have cut the last line of an earlier run.
        self.append_text(b"\n")

    def append(self, objects):
        now, pid = time.time_ns(), os.getpid()
        lines = (json.dumps({"t": now, "pid": pid, **o}) + "\n" for o in objects)
        self.append_text("".join(lines).encode())

    def append_text(self, text):
        while text:
            text = text[os.write(self.file, text) :]


class Link:
    """One connection, starting with its handshake."""

    numbers = 0

    def __init__(self, connection, record, stat_messages):
        Link.numbers += 1
        self.number = Link.numbers
        self.connection = connection
        self.record = record
        self.stat_messages = stat_messages
        self.protocol = ServerProtocol()

    def on_readable(self):
        """Processes what has arrived; false at the end of the connection."""
        try:
            data = self.connection.recv(1 << 18)
        except OSError:
            return False
        if data:
            self.protocol.receive_data(data)
        else:
            self.protocol.receive_eof()
        events = self.protocol.events_received()
        taken = []
        for event in events:
            if isinstance(event, Request):
                self.protocol.send_response(self.protocol.accept(event))
            elif event.opcode is Opcode.BINARY:
                taken.append({"link": self.number, "frame": self.messages(event.data)})
            elif event.opcode is Opcode.PING and len(event.data) == 8:
                taken.append({"link": self.number, "ping": struct.unpack(">Q", event.data)[0]})
        # First the record, then the pongs that the protocol has queued.
        if taken:
            self.record.append(taken)
        return self.send() and bool(data)

    def messages(self, payload):
        frame = self.stat_messages()
        frame.ParseFromString(payload)
        messages = []
        for message in frame.messages:
            stat = message.stat
            unset = (
                stat.average_proxied_concurrent_requests,
                stat.proxied_request_count,
                stat.process_uptime,
                stat.timestamp,
            )
            if any(unset) or not stat.pod_name:
                raise SystemExit(f"not what an activator sends: {message}")
            key = f"{message.namespace}/{message.name}"
            messages.append([key, stat.average_concurrent_requests, stat.request_count])
        return messages

    def send(self):
        try:
            for data in self.protocol.data_to_send():
                if data:
                    self.connection.sendall(data)
                else:
                    self.connection.shutdown(socket.SHUT_WR)
        except OSError:
            return False
        return True

    def close_for_restart(self):
        if self.protocol.state is State.OPEN:
            self.protocol.send_close(SERVICE_RESTART)
            self.send()


class Server:
    def __init__(self, port, path):
        self.record = Record(path)
        self.stat_messages = stat_messages_class()
        self.selector = selectors.DefaultSelector()
        self.listener = socket.create_server(("127.0.0.1", port))
        self.selector.register(self.listener, selectors.EVENT_READ)
        # A signal wakes the loop with a byte, so that nothing is interrupted halfway.
        self.woken, waker = socket.socketpair()
        waker.setblocking(False)
        signal.set_wakeup_fd(waker.fileno())
        self.waker = waker
        for number in (signal.SIGTERM, signal.SIGUSR1):
            signal.signal(number, lambda *_: None)
        self.selector.register(self.woken, selectors.EVENT_READ)

    def run(self):
        self.record.append([{"listening": self.listener.getsockname()[1]}])
        print("listening", flush=True)
        while True:
            for key, _ in self.selector.select():
                if key.fileobj is self.listener:
                    self.accept()
                elif key.fileobj is self.woken:
                    signals = self.woken.recv(64)
                    self.close_links()
                    if signal.SIGTERM in signals:
                        return
                elif not key.data.on_readable():
                    self.selector.unregister(key.fileobj)
                    key.fileobj.close()

    def accept(self):
        connection, _ = self.listener.accept()
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        link = Link(connection, self.record, self.stat_messages)
        self.selector.register(connection, selectors.EVENT_READ, link)

    def close_links(self):
        for key in list(self.selector.get_map().values()):
            if key.data:
                key.data.close_for_restart()


def objects(path):
    """The record's lines, and how many of them were cut."""
    whole, torn = [], 0
    with open(path, encoding="utf-8") as lines:
        for line in filter(str.strip, lines):
            try:
                whole.append(json.loads(line))
            except json.JSONDecodeError:
                torn += 1
    return whole, torn


def report(path, confirmed_path=None):
    confirmed = set()
    if confirmed_path:
        with open(confirmed_path, encoding="utf-8") as lines:
            confirmed = {int(line) for line in lines}
    lines, torn = objects(path)
    listening = [line for line in lines if "listening" in line]
    last = listening[-1]
    frames, sequences, in_order = [], {}, True
    open_frames, last_pings = {}, {}
    known = {}
    for line in lines:
        link = line["pid"], line.get("link")
        if "frame" in line:
            frames.append(line)
            open_frames[link] = line
            if line["pid"] == last["pid"]:
                for key, average, _ in line["frame"]:
                    if average > 0:
                        known.setdefault(key, line["t"] - last["t"])
        elif "ping" in line:
            in_order &= last_pings.get(link, 0) <= line["ping"]
            last_pings[link] = line["ping"]
            frame = open_frames.pop(link, None)
            if frame:
                frame["sequence"] = line["ping"]
                sequences.setdefault(line["ping"], []).append(frame)
    sums, confirmed_sums = Counter(), Counter()
    for frame in frames:
        for key, _, count in frame["frame"]:
            sums[key] += count
            if frame.get("sequence") in confirmed:
                confirmed_sums[key] += count
    return {
        "runs": len(listening),
        "torn_lines": torn,
        "frames": len(frames),
        # Received, but the sender does not know it and sent the counts again.
        "unconfirmed_frames": sum(frame.get("sequence") not in confirmed for frame in frames),
        "confirmed_but_not_here": len(confirmed - sequences.keys()),
        "repeated_sequences": sum(len(same) > 1 for same in sequences.values()),
        "in_order": in_order,
        "sums": sums,
        "confirmed_sums": confirmed_sums,
        # Nanoseconds from the start of the last run until a key is first seen in flight.
        "known_after_ns": known,
    }


def main():
    match sys.argv[1:]:
        case ["serve", port, record]:
            Server(int(port), record).run()
        case ["report", record, *confirmed] if len(confirmed) < 2:
            print(json.dumps(report(record, *confirmed)))
        case _:
            raise SystemExit(__doc__)


main()
