"""A proxy that connects (HTTP CONNECT), and counts."""
import socket
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Tunnel:
    def __init__(self):
        outer = self
        self.connected = []

        class Handler(BaseHTTPRequestHandler):
            def log_message(self, *args):
                pass

            def do_CONNECT(self):
                outer.connected.append(self.path)
                host, _, port = self.path.rpartition(":")
                far = socket.create_connection((host, int(port)))
                self.send_response(200, "Connection established")
                self.end_headers()
                back = threading.Thread(target=_copy, args=(far, self.connection), daemon=True)
                back.start()
                _copy(self.connection, far)
                back.join()
                far.close()
                self.close_connection = True

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://localhost:{self.server.server_address[1]}"
        self.thread = threading.Thread(target=self.server.serve_forever)
        self.thread.start()

    def stop(self):
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()


def _copy(source, sink):
    try:
        while data := source.recv(65536):
            sink.sendall(data)
        sink.shutdown(socket.SHUT_WR)
    except OSError:
        pass
