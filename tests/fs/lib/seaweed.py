"""SeaweedFS: the S3 server most tests run against, one process with a data folder of its own."""
import http.client
import json

from lib import ports
from lib.process import Process
from lib.programs import program
from lib.s3server import S3Server
from lib.wait import until


class SeaweedFS(S3Server):
    domain = "s3.test"      # with a bucket's name in front of it, for virtual-host addressing

    def __init__(self, folder):
        folder.mkdir(parents=True)
        (folder / "data").mkdir()
        names = ("master.port", "volume.port", "filer.port", "s3.port", "admin.port",
                 "master.port.grpc", "volume.port.grpc", "filer.port.grpc", "s3.port.grpc",
                 "admin.port.grpc")
        port = dict(zip(names, ports.free(len(names))))
        self.port = port["s3.port"]
        super().__init__(f"http://127.0.0.1:{self.port}")
        config = folder / "s3.json"
        config.write_text(json.dumps({"identities": [{
            "name": "tester",
            "credentials": [{"accessKey": self.access_key, "secretKey": self.secret_key}],
            "actions": ["Admin", "Read", "Write", "List"]}]}))
        argv = [program("weed"), f"-logdir={folder}", "mini", f"-dir={folder / 'data'}", "-ip=127.0.0.1",
                "-ip.bind=127.0.0.1", f"-s3.config={config}",
                f"-s3.domainName={self.domain}", "-admin.ui=false", "-webdav=false",
                "-s3.port.iceberg=0", "-s3.port.lance=0", "-master.telemetry=false",
                "-filer.saveToFilerLimit=1024", # many small objects are put in seconds
                *(f"-{name}={number}" for name, number in port.items())]
        self.process = Process(argv, folder / "log", cwd=folder)
        until(self.is_up, "SeaweedFS answering", check=self.process.must_run)

    def is_up(self):
        """It answers 403 to an unsigned request once the key pair is loaded."""
        try:
            connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)
            connection.request("GET", "/")
            return connection.getresponse().status == 403
        except (OSError, http.client.HTTPException):
            return False

    def stop(self):
        self.process.stop()
