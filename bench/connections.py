#!/usr/bin/python3
"""connections.py URL PID COUNT STATE: the memory that each of COUNT connections takes in the server. STATE:
`idle` after one request, `half` a head sent, or `h2`, idle after one request by HTTP/2 (https only). Prints
by how many bytes the server's Pss and Rss grew for each connection."""

import pathlib
import re
import resource
import select
import socket
import ssl
import struct
import sys
import time
from urllib.parse import urlsplit

REQUEST = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"
SPARE_FILES = 64
WARM_UP = 16  # connections that are there before it is measured what more of them take
DEADLINE_S = 60

# RFC 9113: 3.4 (preface), 4.1 (frames), 6.2 (HEADERS), 6.5 (SETTINGS); RFC 7541, appendix A.
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
FRAME_HEADERS, FRAME_SETTINGS = 1, 4
FLAG_ACK = FLAG_END_STREAM = 1
FLAG_END_HEADERS = 4
GET_ROOT_BY_HTTPS = b"\x82\x84\x87\x41\x09localhost"


def receive_some(peer, most):
    data = peer.recv(most)
    if not data:
        sys.exit("connections: the server closed a connection")
    return data


def receive(peer, size):
    """Exactly so many bytes."""
    data = b""
    while len(data) < size:
        data += receive_some(peer, size - len(data))
    return data


def ask(peer):
    peer.sendall(REQUEST)
    data = b""
    while b"\r\n\r\n" not in data:
        data += receive_some(peer, 4096)
    head, body = data.split(b"\r\n\r\n", 1)
    if not head.startswith(b"HTTP/1.1 200 "):
        sys.exit(f"connections: the server did not answer 200 but {head[:16]}")
    length = re.search(rb"\r\nContent-Length: (\d+)", head, re.I)[1]
    receive(peer, int(length) - len(body))


def send_half(peer):
    peer.sendall(REQUEST[: len(REQUEST) // 2])


def frame(kind, flags, stream, payload):
    return struct.pack("!I", len(payload))[1:] + struct.pack("!BBI", kind, flags, stream) + payload


def ask_h2(peer):
    if peer.selected_alpn_protocol() != "h2":
        sys.exit("connections: the server does not offer HTTP/2")
    headers = frame(FRAME_HEADERS, FLAG_END_STREAM | FLAG_END_HEADERS, 1, GET_ROOT_BY_HTTPS)
    peer.sendall(PREFACE + frame(FRAME_SETTINGS, 0, 0, b"") + headers)
    is_over = False
    while not is_over:
        head = receive(peer, 9)
        kind, flags, stream = struct.unpack("!BBI", head[3:])
        payload = receive(peer, int.from_bytes(head[:3], "big"))
        if kind == FRAME_SETTINGS and not flags & FLAG_ACK:
            peer.sendall(frame(FRAME_SETTINGS, FLAG_ACK, 0, b""))
        if kind == FRAME_HEADERS and payload[:1] != b"\x88":
            sys.exit("connections: the server did not answer 200")
        is_over = stream == 1 and bool(flags & FLAG_END_STREAM)


STATES = {"idle": ask, "half": send_half, "h2": ask_h2}


def tls_context(state):
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE  # the bench made the certificate
    context.set_alpn_protocols(["h2" if state == "h2" else "http/1.1"])
    return context


def connect(url, state, context):
    peer = socket.create_connection((url.hostname, url.port), timeout=DEADLINE_S)
    if context:
        peer = context.wrap_socket(peer)
    STATES[state](peer)
    return peer


def unread(port):
    """Connections and bytes that the server has not taken yet, by /proc/net/tcp."""
    total = 0
    for line in pathlib.Path("/proc/net/tcp").read_text(encoding="ascii").splitlines()[1:]:
        _, local, _, _, queues, *_ = line.split()
        if int(local.split(":")[1], 16) == port:
            total += int(queues.split(":")[1], 16)
    return total


def memory(pid):
    """Pss and Rss, bytes."""
    text = pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii")
    return [int(re.search(rf"^{name}: +(\d+) kB", text, re.M)[1]) * 1024 for name in ("Pss", "Rss")]


def settled_memory(pid, port):
    deadline = time.monotonic() + DEADLINE_S
    while unread(port):
        if time.monotonic() > deadline:
            sys.exit("connections: the server does not read what was sent")
        time.sleep(0.05)
    time.sleep(0.2)  # what it read last it may still be working on
    return memory(pid)


def closed_by_server(peers):
    poll = select.poll()
    for peer in peers:
        poll.register(peer, select.POLLRDHUP)
    return len(poll.poll(0))


def main():
    url, pid, count, state = urlsplit(sys.argv[1]), sys.argv[2], int(sys.argv[3]), sys.argv[4]
    files = count + WARM_UP + SPARE_FILES
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (files, max(files, most)))
    context = tls_context(state) if url.scheme == "https" else None
    if state == "h2" and not context:
        sys.exit("connections: HTTP/2 is spoken over https only")
    peers = [connect(url, state, context) for _ in range(WARM_UP)]
    before = settled_memory(pid, url.port)
    peers += [connect(url, state, context) for _ in range(count)]
    after = settled_memory(pid, url.port)
    closed = closed_by_server(peers)
    if closed:
        sys.exit(f"connections: the server closed {closed} of them")
    print(*(round((late - early) / count) for early, late in zip(before, after)))


main()
