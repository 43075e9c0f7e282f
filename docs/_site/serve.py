r"""Serves the built site on this machine, and says when a port is busy.

`serve.py PORT` serves the folder `site`; `serve.py --check PORT` only looks
whether it could, so that `make site` need not build first to find out.
"""

import os
import socket
import sys
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

HOST = "127.0.0.1"


def check_port(text):
    r"""Return the port, or raise `ValueError` with what is wrong with it."""
    if not text.isdigit() or not 1 <= int(text) <= 65535:
        raise ValueError(f"PORT={text} is no port: use 1 to 65535.")
    port = int(text)
    advice = f"Choose another: make site PORT={port % 65535 + 1}"
    # Some systems let a second server bind; only an answer proves a first.
    with socket.socket() as probe:
        if probe.connect_ex((HOST, port)) == 0:
            raise ValueError(f"Port {port} is busy. {advice}")
    try:
        socket.create_server((HOST, port)).close()
    except OSError as error:
        reason = error.strerror
        raise ValueError(f"Port {port}: {reason}. {advice}") from error
    return port


class Quiet(SimpleHTTPRequestHandler):
    r"""Files of the site, without a line for every one of them."""

    def log_message(self, *arguments):
        r"""Say nothing: the reader waits for one line, the address."""


def serve(port):
    r"""Serve the folder `site` until Ctrl-C."""
    handler = partial(Quiet, directory="site")
    with ThreadingHTTPServer((HOST, port), handler) as server:
        print(f"http://{HOST}:{port}/  (Ctrl-C ends)", flush=True)
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            print()


def main(arguments):
    try:
        port = check_port(arguments[-1])
    except ValueError as error:
        sys.exit(str(error))
    if "--check" not in arguments:
        if not os.path.isfile("site/index.html"):
            sys.exit("There is no site/index.html: run make site.")
        serve(port)


if __name__ == "__main__":
    main(sys.argv[1:])
