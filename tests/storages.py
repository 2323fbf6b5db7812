"""Genuine S3 servers for tests: Ceph's gateway, which knows conditions, and rclone's, which ignores them."""

import os
import platform
import shutil
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import httpx

from tests.servers import free_port

KEY, SECRET = "AKTEST", "secret-of-the-test"
CEPH_PACKAGES = ("radosgw", "ceph-mon", "ceph-osd")
PATIENCE = 60.0
"""Seconds in which a server must have started."""

# One monitor, one object store in memory, one gateway; nothing is replicated and nobody authenticates but S3 clients.
_CEPH_CONF = """
[global]
fsid = {fsid}
mon host = [v2:127.0.0.1:{monitor}]
public addr = 127.0.0.1
cluster addr = 127.0.0.1
auth cluster required = none
auth service required = none
auth client required = none
ms bind msgr1 = false
ms mon client mode = crc secure
ms mon cluster mode = crc secure
ms mon service mode = crc secure
mon allow pool size one = true
mon data avail crit = 1
osd pool default size = 1
osd pool default min size = 1
osd pool default pg num = 1
osd pool default pgp num = 1
osd pool default pg autoscale mode = off
osd crush chooseleaf type = 0
osd class dir = /usr/lib/{machine}-linux-gnu/rados-classes
osd objectstore = memstore
memstore device bytes = 3221225472
osd memory target = 939524096
osd data = {folder}/osd
mon data = {folder}/mon
run dir = {folder}
log file = {folder}/$name.log
admin socket = {folder}/$name.asok
pid file = {folder}/$name.pid
keyring = {folder}/keyring
rgw enable usage log = false
rgw thread pool size = 16
"""


def lacking_for_ceph() -> str:
    """The Debian packages that a gateway needs and this machine has not; empty if all are there."""
    programs = {"radosgw": "radosgw", "ceph-mon": "ceph-mon", "ceph-osd": "ceph-osd"}
    return ", ".join(package for package, program in programs.items() if shutil.which(program) is None)


@contextmanager
def ceph() -> Iterator[str]:
    """A Ceph gateway (about 10 seconds to start, everything in memory); gives its endpoint."""
    folder = Path(tempfile.mkdtemp(prefix="beatrelay-ceph-", dir="/tmp"))  # short: its sockets' paths are limited
    started: list[subprocess.Popen[bytes]] = []
    try:
        port = free_port()
        _start_ceph(folder, port, started)
        yield f"http://127.0.0.1:{port}"
    finally:
        _stop(reversed(started))
        shutil.rmtree(folder, ignore_errors=True)


def _start_ceph(folder: Path, port: int, started: list[subprocess.Popen[bytes]]) -> None:
    conf, keyring, monmap = folder / "ceph.conf", folder / "keyring", folder / "monmap"
    fsid, osd, monitor = str(uuid.uuid4()), str(uuid.uuid4()), free_port()
    (folder / "osd").mkdir()
    conf.write_text(_CEPH_CONF.format(fsid=fsid, monitor=monitor, folder=folder, machine=platform.machine()))
    c = ("-c", str(conf))

    def run(*command: str) -> None:
        done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, check=False)
        if done.returncode:
            raise RuntimeError(f"{command[0]} failed: {done.stderr[-2000:]}")

    def start(*command: str) -> None:
        with (folder / f"{command[0]}.out").open("wb") as out:
            started.append(subprocess.Popen(command, stdout=out, stderr=out, stdin=subprocess.DEVNULL))

    run("ceph-authtool", "--create-keyring", str(keyring), "--gen-key", "-n", "mon.", "--cap", "mon", "allow *")
    run(
        "ceph-authtool",
        str(keyring),
        "--gen-key",
        "-n",
        "client.admin",
        "--cap",
        "mon",
        "allow *",
        "--cap",
        "osd",
        "allow *",
    )
    run("monmaptool", "--create", "--addv", "a", f"[v2:127.0.0.1:{monitor}]", "--fsid", fsid, str(monmap))
    run("ceph-mon", *c, "--mkfs", "-i", "a", "--monmap", str(monmap), "--keyring", str(keyring))
    start("ceph-mon", *c, "-i", "a", "-f")
    run("ceph", *c, "osd", "new", osd, "0")
    run("ceph-osd", *c, "-i", "0", "--mkfs", "--osd-uuid", osd)
    start("ceph-osd", *c, "-i", "0", "-f")
    user = ("--uid=t", "--display-name=t", f"--access-key={KEY}", f"--secret-key={SECRET}")
    run("radosgw-admin", *c, "user", "create", *user)
    start("radosgw", *c, "-n", "client.admin", "-f", f"--rgw-frontends=beast endpoint=127.0.0.1:{port}")
    _answers(f"http://127.0.0.1:{port}/", started[-1])


@contextmanager
def rclone() -> Iterator[str]:
    """rclone's S3 server over a folder: it checks signatures, and overwrites whatever the condition says."""
    folder, port = Path(tempfile.mkdtemp(prefix="beatrelay-rclone-")), free_port()
    environment = {**os.environ, "RCLONE_CONFIG": str(folder / "none.conf")}
    (folder / "data").mkdir()
    command = (
        str(Path(sys.executable).with_name("rclone")),
        "serve",
        "s3",
        str(folder / "data"),
        "--addr",
        f"127.0.0.1:{port}",
    )
    with (folder / "out").open("wb") as out:
        server = subprocess.Popen([*command, "--auth-key", f"{KEY},{SECRET}"], stdout=out, stderr=out, env=environment)
    try:
        _answers(f"http://127.0.0.1:{port}/", server)
        yield f"http://127.0.0.1:{port}"
    finally:
        _stop([server])
        shutil.rmtree(folder, ignore_errors=True)


def _answers(url: str, server: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline and server.poll() is None:
        with suppress(httpx.TransportError):
            httpx.get(url, trust_env=False)
            return
        time.sleep(0.05)
    raise RuntimeError(f"the server at {url} did not start within {PATIENCE:g} s (status {server.poll()})")


def _stop(servers: Iterable[subprocess.Popen[bytes]]) -> None:
    for server in servers:
        server.kill()
        server.wait(timeout=20)
