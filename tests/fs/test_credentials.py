"""Where credentials, endpoint and region come from."""
import errno
import os
from pathlib import Path

import numpy as np
import pytest

from lib import media
from lib.process import Process
from lib.proxy import Proxy
from lib.rclone import Rclone
from lib.threads import errno_of, read_bytes
from lib.tunnel import Tunnel
from lib.wait import until


def _reads(mount):
    return (mount / "raw/README").read_text() == "a bucket\n"


def test_from_options(ads, mounted):
    server = ads.server
    assert _reads(mounted(ads.source, server.options() | {
        "aws_access_key_id": server.access_key, "aws_secret_access_key": server.secret_key}))


def test_from_the_config_file(ads, mounted):
    server = ads.server
    assert _reads(mounted(ads.source, config=f"""\
[mount]
endpoint_url = {server.endpoint}
path_style = yes
region = us-east-1
aws_access_key_id = {server.access_key}
aws_secret_access_key = {server.secret_key}
"""))


def test_from_the_environment(ads, mounted):
    assert _reads(mounted(ads, server=ads.server))


def test_endpoint_from_the_environment(ads, mounted):
    assert _reads(mounted(ads.source, {"path_style": True}, env=ads.server.environment() | {
        "AWS_ENDPOINT_URL": ads.server.endpoint}))


def _home(tmp_path, server, profile="default"):
    folder = tmp_path / "aws"
    folder.mkdir()
    (folder / "credentials").write_text(f"""\
# somebody else's
[other]
aws_access_key_id = AKIAOTHER
aws_secret_access_key = nothing

[{profile}]
aws_access_key_id = {server.access_key}
aws_secret_access_key = {server.secret_key}
""")
    section = "default" if profile == "default" else f"profile {profile}"
    (folder / "config").write_text(f"[{section}]\nregion = us-east-1\n"
                                   f"endpoint_url = {server.endpoint}\n")
    return {"AWS_SHARED_CREDENTIALS_FILE": str(folder / "credentials"),
            "AWS_CONFIG_FILE": str(folder / "config")}


def test_from_the_default_profile(ads, tmp_path, mounted):
    assert _reads(mounted(ads.source, {"path_style": True}, env=_home(tmp_path, ads.server)))


@pytest.mark.parametrize("region", ["RegionOne", "ENAM", "us_east"])
def test_other_stores_name_their_regions_as_they_like(ads, mounted, region):
    assert _reads(mounted(ads, {"region": region}, server=ads.server))


@pytest.mark.parametrize("region", ["RegionOne", "us_east"])
def test_aws_has_no_such_region(ads, unmounted, region):
    status, said = unmounted("s3://ads", {"region": region}, env=ads.server.environment()).refuse()
    assert status != 0 and f"'{region}' is not the name of a region of AWS" in said


def test_endpoint_and_addressing_from_the_files_sections(ads, tmp_path, mounted):
    """[services NAME] and the nested s3 section, as botocore reads them."""
    env = _home(tmp_path, ads.server)
    (tmp_path / "aws/config").write_text(f"""[default]
region = us-east-1
endpoint_url = http://127.0.0.1:1
services = lab
s3 =
    addressing_style = path
    max_concurrent_requests = 3

[services lab]
dynamodb =
    endpoint_url = http://127.0.0.1:2
s3 =
    endpoint_url = http://localhost:{ads.server.port}
""")
    assert _reads(mounted(ads.source, env=env))


def test_from_a_profile_named_by_option(ads, tmp_path, mounted):
    assert _reads(mounted(ads.source, {"path_style": True, "profile": "work"},
                          env=_home(tmp_path, ads.server, "work")))


def test_from_a_profile_named_by_the_environment(ads, tmp_path, mounted):
    env = _home(tmp_path, ads.server, "work") | {"AWS_PROFILE": "work"}
    assert _reads(mounted(ads.source, {"path_style": True}, env=env))


def test_from_the_files_in_the_home_folder(ads, tmp_path, unmounted):
    _home(tmp_path, ads.server)
    mount = unmounted(ads.source, {"path_style": True})
    (mount.home / ".aws").symlink_to(tmp_path / "aws")
    with mount:
        assert _reads(mount)


def test_options_win_over_the_environment(ads, mounted):
    server = ads.server
    assert _reads(mounted(
        ads.source, server.options() | {"aws_access_key_id": server.access_key,
                                        "aws_secret_access_key": server.secret_key},
        env={"AWS_ACCESS_KEY_ID": "AKIAWRONG", "AWS_SECRET_ACCESS_KEY": "wrong"}))


def test_the_environment_wins_over_the_files(ads, tmp_path, mounted):
    env = _home(tmp_path, ads.server) | ads.server.environment()
    (tmp_path / "aws/credentials").write_text("[default]\naws_access_key_id = AKIAWRONG\n"
                                              "aws_secret_access_key = wrong\n")
    assert _reads(mounted(ads.source, {"path_style": True}, env=env))


def test_a_profile_that_is_missing_is_exit_1(ads, tmp_path, unmounted):
    status, said = unmounted(ads.source, {"path_style": True, "profile": "nobody"},
                             env=_home(tmp_path, ads.server)).refuse()
    assert status == 1 and "nobody" in said


@pytest.fixture
def public(tmp_path):
    """rclone without a key pair: it takes everybody."""
    (tmp_path / "public/ads").mkdir(parents=True)
    (tmp_path / "public/ads/README").write_text("a bucket\n")
    server = Rclone(tmp_path / "public", tmp_path / "public.log", secret_key=None)
    yield server
    server.stop()


def test_anonymous_requests_are_not_signed(public, tmp_path, mounted):
    proxy = Proxy(public, tmp_path / "proxy")
    try:
        with proxy.recording() as log:
            mount = mounted("s3://ads", proxy.options() | {"no_sign_request": True})
            assert _reads(mount)
        assert log.requests and not any(r.authorization for r in log.requests)
        mount.stop()
    finally:
        proxy.stop()


def test_a_session_token_is_sent_and_signed(rclone, tmp_path, mounted):
    (rclone.root / "ads").mkdir()
    (rclone.root / "ads/README").write_text("a bucket\n")
    proxy = Proxy(rclone, tmp_path / "proxy")
    token = "FwoGZXIvYXdzEBYaD//+/=" * 20
    try:
        with proxy.recording() as log:
            mount = mounted("s3://ads", proxy.options(),
                            env=proxy.environment() | {"AWS_SESSION_TOKEN": token})
            assert _reads(mount)
        assert log.requests
        for request in log.requests:
            assert request.token == token
            assert "x-amz-security-token" in request.authorization
        mount.stop()
    finally:
        proxy.stop()


def test_secrets_and_signatures_never_reach_the_log(ads, mounted):
    server = ads.server
    mount = mounted(ads, {"log_level": "debug"}, server=server)
    assert _reads(mount)
    assert server.secret_key not in mount.log()
    assert "Signature=" not in mount.log()


def test_tls_with_a_ca_bundle(ads, proxy, mounted):
    mount = mounted(ads.source, {"endpoint_url": proxy.tls_endpoint, "path_style": True},
                    env=proxy.environment() | {"AWS_CA_BUNDLE": str(proxy.certificate)})
    assert _reads(mount)


def test_tls_through_a_proxy(ads, proxy, mounted):
    tunnel = Tunnel()
    try:
        mount = mounted(ads.source, {"endpoint_url": proxy.tls_endpoint}, env=proxy.environment() | {
            "AWS_CA_BUNDLE": str(proxy.certificate), "https_proxy": tunnel.url})
        assert _reads(mount)
        assert set(tunnel.connected) == {f"127.0.0.1:{proxy.tls_port}"}
        mount.stop()
    finally:
        tunnel.stop()


def test_what_comes_through_a_tunnel_is_the_stores_own(ads, proxy, mounted):
    tunnel = Tunnel()
    try:
        mount = mounted(ads.source, {"endpoint_url": proxy.tls_endpoint}, env=proxy.environment() | {
            "AWS_CA_BUNDLE": str(proxy.certificate), "https_proxy": tunnel.url})
        os.stat(mount / "raw/README")
        proxy.rule(kind="GET", action="status", status=403, code="")
        assert errno_of(read_bytes, mount / "raw/README") == errno.EACCES
        assert b"access denied" in os.getxattr(mount / "raw/README", "user.s3samplefs.error")
        mount.stop()
    finally:
        proxy.clear()
        tunnel.stop()


def test_a_proxy_that_isnt_there_is_named_at_the_mount(ads, unmounted):
    env = ads.server.environment() | {"http_proxy": "http://me:hush@127.0.0.1:1"}
    status, said = unmounted(ads.source, ads.server.options() | {"max_attempts": 1}, env=env).refuse()
    assert status == 1 and "the proxy http://127.0.0.1:1: cannot connect" in said
    assert "hush" not in said
    env["no_proxy"] = "127.0.0.0/8"
    mount = unmounted(ads.source, ads.server.options(), env=env).start()
    assert _reads(mount)
    mount.stop()


def test_tls_is_verified(ads, proxy, unmounted):
    status, said = unmounted(ads.source, {"endpoint_url": proxy.tls_endpoint, "path_style": True,
                                          "max_attempts": 1}, env=proxy.environment()).refuse()
    assert status == 1 and "certificate" in said.lower()


def test_a_second_server_by_other_people(rclone, tmp_path, mounted):
    """rclone sends unquoted ETags in lists, ignores max-keys and answers a wrong If-Match."""
    names = ["with blank.txt", "a+b.txt", "100%.txt", "käse-日本語.txt"]
    (rclone.root / "ads/d").mkdir(parents=True)
    for name in names:
        (rclone.root / "ads/d" / name).write_text(name)
    clip = media.numbered("train/video/clip.mkv")
    (rclone.root / "ads/d/clip.mkv").write_bytes(clip.read_bytes())
    mount = mounted("s3://ads", server=rclone)
    assert sorted(os.listdir(mount / "raw/d")) == sorted(names + ["clip.mkv"])
    for name in names:
        assert (mount / "raw/d" / name).read_text() == name
    assert (mount / "raw/d/clip.mkv").read_bytes() == clip.read_bytes()
    assert np.load(mount / "frames/d/clip.mkv.npy").shape == (16, 224, 224, 3)


def test_a_replaced_object_on_a_server_that_ignores_if_match(rclone, mounted):
    (rclone.root / "ads").mkdir()
    (rclone.root / "ads/x").write_bytes(b"old " * 250_000)
    mount = mounted("s3://ads", server=rclone)
    fd = os.open(mount / "raw/x", os.O_RDONLY)
    os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_RANDOM)
    assert os.pread(fd, 4, 0) == b"old "
    (rclone.root / "ads/x.tmp").write_bytes(b"new " * 250_000)
    os.rename(rclone.root / "ads/x.tmp", rclone.root / "ads/x")
    assert errno_of(os.pread, fd, 4, 900_000) == errno.ESTALE
    os.close(fd)
    assert read_bytes(mount / "raw/x") == b"new " * 250_000


def test_a_bucket_in_the_host_name(ads, tmp_path, unmounted):
    """Virtual-host addressing. The host's name is one only a private /etc/hosts knows, so the
    daemon and its mount live in a mount namespace of their own."""
    server, domain = ads.server, ads.server.domain
    hosts = tmp_path / "hosts"
    hosts.write_text(f"127.0.0.1 localhost {domain} ads.{domain}\n")
    mount = unmounted(ads.source, {"endpoint_url": f"http://{domain}:{server.port}"},
                      env=server.environment())
    daemon = Process(["unshare", "--mount", "sh", "-c",
                      f'mount --bind {hosts} /etc/hosts && exec "$@"', "sh", *mount.command("-f")],
                     tmp_path / "log", env=mount.env)
    seen = Path(f"/proc/{daemon.pid}/root") / mount.point.relative_to("/") / "raw/README"
    until(seen.exists, "the mount in its namespace", check=daemon.must_run)
    assert seen.read_text() == "a bucket\n"
    assert daemon.stop() == 0
