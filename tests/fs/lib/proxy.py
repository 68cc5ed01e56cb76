"""nginx before a store: counts what passes, and slows, holds or breaks it on demand.

    with proxy.recording() as log:      # what was asked for in here
        ...
    log.gets("train/ad/clip.mp4")

    proxy.rule(kind="GET", action="cut", keep=1000, times=3)
    with proxy.gate(kind="HEAD") as gate:
        gate.until_held(32)             # an event, not a time
        gate.release()
"""
import http.client
import json
import shutil
import subprocess
import urllib.parse
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from lib import ports
from lib.process import Process
from lib.s3server import S3Server
from lib.wait import until

_LIB = Path(__file__).parent


@dataclass
class Request:
    kind: str        # GET, HEAD, LIST, PUT ...
    key: str         # without the bucket; of a LIST its prefix
    status: int
    bytes: int       # of the body, as sent
    range: tuple     # (first, last) or None
    if_match: str
    token: str
    authorization: str
    connection: int


@dataclass
class Log:
    requests: list = field(default_factory=list)

    def of(self, kind, key=None):
        return [r for r in self.requests if r.kind == kind and (key is None or r.key == key)]

    def gets(self, key=None):
        return self.of("GET", key)

    def bytes(self, key=None):
        return sum(r.bytes for r in self.gets(key))


def _parse(line):
    raw = json.loads(line)
    url = urllib.parse.urlsplit(raw["uri"])
    query = urllib.parse.parse_qs(url.query, keep_blank_values=True)
    kind = raw["method"]
    key = urllib.parse.unquote(url.path).lstrip("/").partition("/")[2]
    if kind == "GET" and "list-type" in query:
        kind, key = "LIST", query.get("prefix", [""])[0]
    span = None
    if raw["range"].startswith("bytes="):
        first, _, last = raw["range"][len("bytes="):].partition("-")
        span = (int(first), int(last))
    return Request(kind, key, raw["status"], raw["bytes"], span, raw["if_match"], raw["token"],
                   raw["authorization"], raw["connection"])


class Gate:
    """Requests that the proxy holds; more() of them may come while it is closed."""

    def __init__(self, proxy):
        self.proxy = proxy

    def held(self):
        return self.proxy.status()["held"]

    def until_held(self, n, check=None):
        until(lambda: len(self.held()) >= n, f"{n} requests held by the proxy", check=check)

    def release(self, n=None):
        self.proxy.control("release", **({} if n is None else {"n": n}))

    def rounds(self, done, at_least=1):
        """Lets requests through in rounds until done(): a round is all that waits once nothing
        more comes. Returns the sizes. The first has at_least so many."""
        sizes = []
        self.until_held(at_least)
        while not done():
            waiting = until(lambda: len(self.held()) or (done() and -1), "a round or the end")
            if waiting < 0:
                break
            sizes.append(waiting)
            self.release(waiting)
        return sizes


class Proxy(S3Server):
    def __init__(self, store, folder):
        folder.mkdir(parents=True)
        self.store, self.folder = store, folder
        self.port, self.tls_port, self.control_port = ports.free(3)
        super().__init__(f"http://127.0.0.1:{self.port}", store.access_key, store.secret_key)
        self.tls_endpoint = f"https://127.0.0.1:{self.tls_port}"
        self.certificate = folder / "cert.pem"
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                        "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2", "-subj",
                        "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout",
                        folder / "key.pem", "-out", self.certificate],
                       check=True, capture_output=True)
        text = (_LIB / "nginx.conf.in").read_text()
        for name, value in (("FOLDER", folder), ("LIB", _LIB), ("STORE", store.port),
                            ("PORT", self.port), ("TLS_PORT", self.tls_port),
                            ("CONTROL", self.control_port)):
            text = text.replace(f"@{name}@", str(value))
        (folder / "nginx.conf").write_text(text)
        self.start()

    def start(self):
        nginx = shutil.which("nginx", path="/usr/sbin:/usr/bin:/usr/local/sbin:/usr/local/bin")
        assert nginx, "nginx is not installed"
        self.process = Process([nginx, "-p", self.folder, "-c", self.folder / "nginx.conf",
                                "-e", self.folder / "error.log"], self.folder / "output")
        until(lambda: ports.answers(self.control_port) and ports.answers(self.port),
              "nginx answering", check=self.process.must_run)

    def stop(self):
        """Connections are refused or reset from here on, until start()."""
        self.process.stop()
        until(lambda: not ports.answers(self.port), "nginx gone")

    def control(self, what, **args):
        args = {k: int(v) if isinstance(v, bool) else v for k, v in args.items()}
        connection = http.client.HTTPConnection("127.0.0.1", self.control_port, timeout=30)
        connection.request("GET", f"/{what}?{urllib.parse.urlencode(args)}")
        answer = connection.getresponse()
        text = answer.read().decode()
        connection.close()
        assert answer.status == 200, text
        return text

    def status(self):
        first, *held = self.control("status").splitlines()
        arrived, finished, hits, stalled = map(int, first.split())
        return {"arrived": arrived, "finished": finished, "hits": hits, "stalled": stalled,
                "held": [urllib.parse.unquote(line) for line in held]}

    def rule(self, **args):
        """kind, key: which requests. delay (s), rate (bytes/s), gate; action status (with status,
        code), cut, stall (after keep bytes), reset; coin (probability), seed, times."""
        self.control("set", **args)

    def clear(self):
        self.control("set")
        self.control("release")

    def settle(self):
        """Waits until every request that has arrived is answered and in the log."""
        def quiet():
            status = self.status()
            return status["arrived"] == status["finished"]
        until(quiet, "all requests logged")

    def _lines(self):
        return (self.folder / "access.log").read_text().splitlines()

    @contextmanager
    def recording(self):
        self.settle()
        log, before = Log(), len(self._lines())
        yield log
        self.settle()
        log.requests = [_parse(line) for line in self._lines()[before:]]

    @contextmanager
    def gate(self, **which):
        self.rule(gate=True, **which)
        try:
            yield Gate(self)
        finally:
            self.clear()
