#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""An HTTPS server between kerf-agent and kerf-server that misbehaves as a file tells it; for agent_test.sh.

    bad_server.py --cert PEM --key PEM --upstream URL --upstream-ca PEM --mode FILE --port-file FILE [--payloads FILE]

A line is appended to the file of --payloads for each payload that is asked for: delta or full, and the Range header or "whole".

The mode file is read at each request; a mode that has changed starts its count of payload requests anew:
    pass                hands everything on
    cut N               closes the connection after N bytes of each payload answer
    cut-whole N         the same for the first one; later Range requests get 200 and the whole
    cut-deny N          the same for the first one; later Range requests get 416
    stall N             after N bytes of the first payload answer nothing more comes
    short               the first payload answer claims, and has, half of its bytes
    long                payload answers claim and have 1000 bytes too many
    shift               cut 2000; later Range requests get a Content-Range that begins 100 bytes too late
    pad N               cut 2000; later Content-Ranges have N blanks too many
    busy                the first payload answer is 503 with Retry-After: 1
    missing             delta payloads are 404
    redirect            payload answers are 302 to http://
    flip delta|all N    byte N of those payloads is changed
    alter release|fresh one byte of that document is changed
    no-fresh            the answer comes without the fresh document
    save FILE           keeps the next answer of /v1/check
    replay FILE         answers /v1/check with it
    no-reports          /v1/report is answered with 503
    garbage | huge      /v1/check is answered with something else
"""
import argparse
import base64
import http.server
import json
import os
import ssl
import sys
import threading
import time
import urllib.error
import urllib.request


class Mode:
    """The mode file, and how many payload requests there were under its present content."""

    def __init__(self, path):
        self.path = path
        self.lock = threading.Lock()
        self.text = ""
        self.payloads = 0

    def words(self):
        with open(self.path, encoding="utf-8") as file:
            text = file.read().strip()
        with self.lock:
            if text != self.text:
                self.text = text
                self.payloads = 0
        return text.split()

    def count_payload(self):
        with self.lock:
            self.payloads += 1
            return self.payloads


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    kinds = {}  # payload's SHA-256 -> "delta" or "full"

    def log_message(self, *args):
        pass

    def upstream(self, body=None):
        """Status, headers and body of the real server's answer."""
        headers = {"Content-Type": "application/json"} if body is not None else {}
        if self.headers.get("Range"):
            headers["Range"] = self.headers["Range"]
        request = urllib.request.Request(self.server.options.upstream + self.path, data=body, headers=headers)
        try:
            with urllib.request.urlopen(request, context=self.server.upstream_tls, timeout=20) as answer:
                return answer.status, answer.headers, answer.read()
        except urllib.error.HTTPError as error:
            return error.code, error.headers, error.read()

    def send(self, status, body, headers=(), length=None, hang_up=False):
        self.send_response(status)
        for key, value in headers:
            self.send_header(key, value)
        self.send_header("Content-Length", str(len(body) if length is None else length))
        self.end_headers()
        self.wfile.write(body)
        self.wfile.flush()
        if hang_up:
            self.close_connection = True

    # --- POST /v1/... ---

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
        mode = self.server.mode.words()
        if mode[0] == "no-reports" and self.path.endswith("/v1/report"):
            self.send(503, b'{"v":1,"error":"on purpose"}', [("Retry-After", "1")])
            return
        if not self.path.endswith("/v1/check"):
            status, headers, answer = self.upstream(body)
            self.send(status, answer)
            return
        if mode[0] == "garbage":
            self.send(200, b"<html>Please sign in to this network</html>")
            return
        if mode[0] == "huge":
            self.send(200, b"[" * 3000000, hang_up=True)
            return
        if mode[0] == "replay":
            with open(mode[1], "rb") as file:
                self.send(200, file.read())
            return
        status, headers, answer = self.upstream(body)
        if mode[0] == "save":
            with open(mode[1], "wb") as file:
                file.write(answer)
        message = json.loads(answer)
        for update in message.get("updates") or []:
            for option in update["options"]:
                self.kinds[option["sha256"]] = option["kind"]
        if mode[0] == "alter":
            document = bytearray(base64.b64decode(message["metadata"][mode[1]]))
            document[len(document) // 2] ^= 1
            message["metadata"][mode[1]] = base64.b64encode(document).decode()
            answer = json.dumps(message).encode()
        elif mode[0] == "no-fresh":
            del message["metadata"]["fresh"]
            answer = json.dumps(message).encode()
        self.send(status, answer)

    # --- GET /p/... ---

    def do_GET(self):
        mode = self.server.mode.words()
        count = self.server.mode.count_payload()
        ranged = self.headers.get("Range") is not None
        kind = self.kinds.get(self.path.rsplit("/", 1)[-1])
        if self.server.options.payloads:
            with open(self.server.options.payloads, "a", encoding="utf-8") as file:
                file.write(f"{kind} {self.headers.get('Range') or 'whole'}\n")
        if ranged and mode[0] == "cut-deny":
            self.send(416, b"")
            return
        if ranged and mode[0] == "cut-whole":
            del self.headers["Range"]
        if (mode[0] == "busy" and count == 1) or (mode[0] == "missing" and kind == "delta"):
            status = 503 if mode[0] == "busy" else 404
            self.send(status, b'{"v":1,"error":"on purpose"}', [("Retry-After", "1")])
            return
        if mode[0] == "redirect":
            self.send(302, b"", [("Location", "http://127.0.0.1:1" + self.path)])
            return
        status, headers, body = self.upstream()
        kept = [("Content-Range", headers["Content-Range"])] if headers.get("Content-Range") else []
        self.send_payload(mode, count, ranged, kind, status, kept, body)

    def send_payload(self, mode, count, ranged, kind, status, kept, body):
        first = int(kept[0][1].split()[1].split("-")[0]) if kept else 0
        if mode[0] == "flip" and mode[1] in (kind, "all"):
            at = int(mode[2]) - first
            if 0 <= at < len(body):
                body = body[:at] + bytes([body[at] ^ 1]) + body[at + 1 :]
        if mode[0] == "cut" or (mode[0] in ("cut-whole", "cut-deny", "shift", "pad") and count == 1):
            keep = int(mode[1]) if mode[0].startswith("cut") else 2000
            self.send(status, body[:keep], kept, length=len(body), hang_up=True)
        elif mode[0] == "stall" and count == 1:
            self.send(status, body[: int(mode[1])], kept, length=len(body))
            time.sleep(20)
            self.close_connection = True
        elif mode[0] == "short" and count == 1:
            self.send(status, body[: len(body) // 2], kept, hang_up=True)
        elif mode[0] == "long":
            self.send(status, body + b"?" * 1000, kept, hang_up=True)
        elif mode[0] == "pad" and ranged:
            self.send(status, body, [("Content-Range", "bytes " + " " * int(mode[1]) + kept[0][1].split()[1])])
        elif mode[0] == "shift" and ranged:
            self.send(status, body[100:], [("Content-Range", f"bytes {first + 100}-{first + len(body) - 1}/*")])
        else:
            self.send(status, body, kept)


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request, client_address):
        pass  # clients that hang up are what this is for


def main():
    parser = argparse.ArgumentParser()
    for name in ("cert", "key", "upstream", "upstream-ca", "mode", "port-file"):
        parser.add_argument("--" + name, required=True)
    parser.add_argument("--payloads")
    options = parser.parse_args()
    server = Server(("127.0.0.1", 0), Handler)
    server.options = options
    server.mode = Mode(options.mode)
    server.upstream_tls = ssl.create_default_context(cafile=options.upstream_ca)
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(options.cert, options.key)
    server.socket = tls.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    with open(options.port_file + ".new", "w", encoding="utf-8") as file:
        file.write(str(server.server_address[1]))
    os.rename(options.port_file + ".new", options.port_file)
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        sys.exit(0)


if __name__ == "__main__":
    main()
