r"""Serves a built site as GitHub's Pages do, and finds who looks at it."""

import gzip
import os
import re
import shutil
import threading
from contextlib import contextmanager
from functools import lru_cache, partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chrome")


def find_browser():
    r"""The browser that CHROMIUM names, or one by its usual names, or None."""
    names = (os.environ.get("CHROMIUM", ""), *BROWSERS)
    return next(filter(None, map(shutil.which, names)), None)


# A browser with an empty cache asks for the same scripts with every page.
compressed = lru_cache(maxsize=256)(gzip.compress)


class Server(SimpleHTTPRequestHandler):
    r"""Below /labkd/, texts compressed, a connection kept for more."""

    protocol_version = "HTTP/1.1"

    def translate_path(self, path):
        return super().translate_path(path.removeprefix("/labkd"))

    def send_head(self):
        path = Path(self.translate_path(self.path))
        path = path / "index.html" if path.is_dir() else path
        if not self.path.startswith("/labkd/") or not path.is_file():
            self.send_error(404)
            return None
        body = path.read_bytes()
        if path.name == "sitemap.xml":
            # Instant navigation is for the addresses in this list.
            host = b"<loc>http://" + self.headers["Host"].encode()
            body = re.sub(rb"<loc>https://[^/]+", host, body)
        self.send_response(200)
        self.send_header("Content-Type", self.guess_type(str(path)))
        # As Pages have it.
        self.send_header("Cache-Control", "max-age=600")
        if path.suffix not in (".png", ".woff2", ".gz"):
            body = compressed(body)
            self.send_header("Content-Encoding", "gzip")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
        return None

    def copyfile(self, source, outputfile):
        pass

    def log_message(self, *arguments):
        pass


@contextmanager
def serving(folder):
    r"""The address of a site while the block runs."""
    handler = partial(Server, directory=str(folder))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/labkd/"
        server.shutdown()
