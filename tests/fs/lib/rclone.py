"""rclone serve s3: a second S3 server, by other people, so that one server cannot agree with our
mistakes."""
from lib import ports
from lib.process import Process
from lib.programs import program
from lib.s3server import ACCESS_KEY, SECRET_KEY, S3Server
from lib.wait import until


class Rclone(S3Server):
    """Serves the sub-folders of root as buckets. secret_key None: anonymous access."""

    def __init__(self, root, log, secret_key=SECRET_KEY):
        self.root, self.log = root, log
        self.port = ports.free(1)[0]
        super().__init__(f"http://127.0.0.1:{self.port}", ACCESS_KEY, secret_key)
        self.start()

    def start(self):
        auth = ["--auth-key", f"{self.access_key},{self.secret_key}"] if self.secret_key else []
        self.process = Process([program("rclone"), "serve", "s3", "--config", "/dev/null",
                                "--addr", f"127.0.0.1:{self.port}", "--vfs-cache-mode", "off",
                                "--dir-cache-time", "0s", *auth, self.root], self.log)
        until(lambda: ports.answers(self.port), "rclone answering", check=self.process.must_run)

    def stop(self):
        self.process.stop()

    def change_secret(self, secret_key):
        """Restarts at the same address with another secret for the same access key."""
        self.stop()
        self.secret_key = secret_key
        self.start()
