#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Clients that behave badly, against a server with a request deadline of 2 seconds and 20 connections:
rude_clients.py URL CA_FILE PAYLOAD. Says what the server let pass; exit code 1 then."""
import http.client
import random
import socket
import ssl
import sys
import threading
import time

URL, CA, PAYLOAD = sys.argv[1:4]
HOST, PORT = URL.split("//")[1].rsplit(":", 1)
PORT = int(PORT)
TLS = ssl.create_default_context(cafile=CA)
FAILURES = []


def fail(text):
    print("FAILED:", text, file=sys.stderr)
    FAILURES.append(text)


def plain():
    return socket.create_connection((HOST, PORT), timeout=20)


def tls():
    return TLS.wrap_socket(plain(), server_hostname=HOST)


def closed_within(sock, seconds):
    """True when the other side closes in time, whatever it says before."""
    sock.settimeout(seconds)
    try:
        while sock.recv(65536):
            pass
        return True
    except (TimeoutError, socket.timeout):
        return False
    except OSError:
        return True


def alive(what, seconds=10):
    """A well-behaved client is served in time."""
    deadline = time.time() + seconds
    while time.time() < deadline:
        try:
            connection = http.client.HTTPSConnection(HOST, PORT, timeout=5, context=TLS)
            connection.request("GET", "/healthz")
            if connection.getresponse().status == 200:
                return
        except OSError:
            pass
        time.sleep(0.1)
    fail(f"no answer after: {what}")


def garbage():
    for seed in range(20):
        s = plain()
        s.sendall(random.Random(seed).randbytes(1 + seed * 97))
        s.close()
    s = plain()
    s.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")  # HTTP where TLS is spoken
    if not closed_within(s, 10):
        fail("HTTP without TLS keeps a connection")


def half_handshake():
    s = plain()
    s.sendall(bytes.fromhex("1603010200010001fc0303"))
    if not closed_within(s, 10):
        fail("half a handshake keeps a connection")


def silent():
    s = tls()
    if not closed_within(s, 10):
        fail("a silent client keeps its connection")


def trickle():
    s = tls()
    begin = time.time()
    try:
        s.sendall(b"POST /v1/check HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n")
        while time.time() - begin < 12:
            s.sendall(b" ")
            time.sleep(0.2)
        fail("a trickle of bytes keeps a connection")
    except OSError:
        pass


def trickle_headers():
    s = tls()
    begin = time.time()
    try:
        s.sendall(b"GET /healthz HTTP/1.1\r\n")
        while time.time() - begin < 12:
            s.sendall(b"X: y\r\n")
            time.sleep(0.2)
        fail("a trickle of headers keeps a connection")
    except OSError:
        pass


def large_headers():
    s = tls()
    try:
        s.sendall(b"GET /healthz HTTP/1.1\r\n" + b"X: " + b"y" * 200000 + b"\r\n\r\n")
        answer = s.recv(100)
        if b" 200 " in answer:
            fail("headers of 200 KB are taken")
    except OSError:
        pass


def nonsense_requests():
    for text in (b"\r\n\r\n", b"GET\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n", b"NONSENSE /x HTTP/1.1\r\n\r\n",
                 b"GET http://[::bad/ HTTP/1.1\r\n\r\n", b"POST /v1/check HTTP/1.1\r\nContent-Length: -5\r\n\r\n",
                 b"POST /v1/check HTTP/1.1\r\nContent-Length: 99999999999999999999999\r\n\r\n",
                 b"POST /v1/check HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzzz\r\n",
                 b"GET /p/\x00\xff HTTP/1.1\r\n\r\n", b"OPTIONS * HTTP/1.1\r\n\r\n", b"CONNECT a:1 HTTP/1.1\r\n\r\n",
                 b"GET /healthz HTTP/1.1\r\nContent-Length: 5\r\n\r\nabc"):
        s = tls()
        try:
            s.sendall(text)
            s.settimeout(10)
            if s.recv(1000).startswith(b"HTTP/1.1 200"):
                fail(f"{text!r} is answered with 200")
        except OSError:
            pass
        s.close()


def vanish():
    """Clients that go away in the middle of a payload, politely or not."""
    for linger in range(10):
        s = tls()
        s.sendall(f"GET /p/{PAYLOAD} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        s.recv(1000)
        if linger % 2:
            s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        s.close()


def pipeline():
    s = tls()
    s.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n" * 20)
    s.settimeout(10)
    got = b""
    try:
        while got.count(b"HTTP/1.1 200") < 20:
            more = s.recv(65536)
            if not more:
                break
            got += more
    except OSError:
        pass
    if got.count(b"HTTP/1.1 200") != 20:
        fail(f"{got.count(b'HTTP/1.1 200')} of 20 pipelined requests answered")


def crowd():
    """More connections than allowed: they are let in as others are thrown out."""
    sockets = []
    for _ in range(100):
        sockets.append(plain())
    alive("a crowd of 100 connections", 30)  # five times 20 that are thrown out after 2 seconds each
    for s in sockets:
        s.close()


def main():
    for client in (garbage, large_headers, nonsense_requests, vanish, pipeline, crowd):
        client()
        alive(client.__name__)
    slow = [threading.Thread(target=f) for f in (half_handshake, silent, trickle, trickle_headers)]
    for thread in slow:
        thread.start()
    for thread in slow:
        thread.join()
    alive("slow clients")
    return 1 if FAILURES else 0


sys.exit(main())
