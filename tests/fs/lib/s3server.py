"""What every S3 server of the tests has: an endpoint, a key pair, a client, objects."""
import os
import subprocess

import boto3
from botocore.config import Config

from lib.programs import program

ACCESS_KEY = "AKIATEST"
SECRET_KEY = "secrettest"


class S3Server:
    """Address and credentials of a server; endpoint may be a proxy in front of one."""

    def __init__(self, endpoint, access_key=ACCESS_KEY, secret_key=SECRET_KEY):
        self.endpoint = endpoint
        self.access_key = access_key
        self.secret_key = secret_key

    def client(self):
        return boto3.client(
            "s3", endpoint_url=self.endpoint, region_name="us-east-1",
            aws_access_key_id=self.access_key, aws_secret_access_key=self.secret_key,
            config=Config(s3={"addressing_style": "path"}, max_pool_connections=16,
                          request_checksum_calculation="when_required",
                          response_checksum_validation="when_required"))

    def environment(self):
        """The variables with which the daemon finds its way here."""
        return {"AWS_ACCESS_KEY_ID": self.access_key, "AWS_SECRET_ACCESS_KEY": self.secret_key,
                "AWS_REGION": "us-east-1"}

    def options(self):
        return {"endpoint_url": self.endpoint, "path_style": True}


class Bucket:
    """A bucket of a server; names are keys."""

    def __init__(self, server, name):
        self.server = server
        self.name = name
        self.client = server.client()

    @property
    def source(self):
        return f"s3://{self.name}"

    def create(self):
        self.client.create_bucket(Bucket=self.name)
        return self

    def drop(self):
        """Deletes it with all it holds: a small server has room for some seventy buckets."""
        self.client.delete_bucket(Bucket=self.name)

    def put(self, key, data):
        """data is bytes or the path of a file. Returns the ETag without quotes."""
        if not isinstance(data, (bytes, bytearray)):
            data = data.read_bytes()
        return self.client.put_object(Bucket=self.name, Key=key, Body=data)["ETag"].strip('"')

    def put_tree(self, folder):
        """Every file below folder, by rclone: thousands of small objects in seconds."""
        env = {"PATH": os.environ["PATH"], "RCLONE_CONFIG": "/dev/null",
               "AWS_ACCESS_KEY_ID": self.server.access_key,
               "AWS_SECRET_ACCESS_KEY": self.server.secret_key}
        subprocess.run([program("rclone"), "copy", "--s3-env-auth", "--s3-provider=SeaweedFS",
                        "--s3-region=us-east-1", f"--s3-endpoint={self.server.endpoint}",
                        "--s3-no-check-bucket", "--s3-no-head", "--no-check-dest", "--transfers=16", "--retries=1",
                        folder, f":s3:{self.name}"], env=env, check=True)
        return self

    def get(self, key):
        return self.client.get_object(Bucket=self.name, Key=key)["Body"].read()

    def head(self, key):
        return self.client.head_object(Bucket=self.name, Key=key)

    def delete(self, key):
        self.client.delete_object(Bucket=self.name, Key=key)
