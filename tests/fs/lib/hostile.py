"""An S3 server that lists as no good server does: LISTs are answered by the test's function."""
import threading
import urllib.parse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from xml.sax.saxutils import escape

from lib.s3server import S3Server


def page(keys=(), prefixes=(), token=None):
    """A ListBucketResult with these, in this order; token: there is more."""
    contents = "".join(f"<Contents><Key>{escape(k)}</Key><Size>4</Size><ETag>&quot;e&quot;</ETag>"
                       "<LastModified>2024-01-01T00:00:00.000Z</LastModified></Contents>" for k in keys)
    common = "".join(f"<CommonPrefixes><Prefix>{escape(p)}</Prefix></CommonPrefixes>"
                     for p in prefixes)
    more = f"<NextContinuationToken>{escape(token)}</NextContinuationToken>" if token else ""
    return (f"<ListBucketResult><IsTruncated>{'true' if token else 'false'}</IsTruncated>{more}"
            f"{contents}{common}</ListBucketResult>")


class Hostile(S3Server):
    """answer(prefix, delimiter, token) gives the body of a LIST; of objects nothing is there."""

    def __init__(self, answer):
        outer = self
        self.answer, self.lists = answer, 0

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *args):
                pass

            def do_HEAD(self):
                self.send_response(404)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def do_GET(self):
                query = urllib.parse.parse_qs(urllib.parse.urlsplit(self.path).query)
                first = {name: values[0] for name, values in query.items()}
                if "list-type" not in first:
                    return self.do_HEAD()
                outer.lists += 1
                body = outer.answer(first.get("prefix", ""), "delimiter" in first,
                                    first.get("continuation-token")).encode()
                self.send_response(200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        super().__init__(f"http://127.0.0.1:{self.server.server_address[1]}")
        self.thread = threading.Thread(target=self.server.serve_forever)
        self.thread.start()

    def stop(self):
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()
