"""What a user of docker-py does, against the engine that DOCKER_HOST names.

usage: story.py IMAGE REPOSITORY: IMAGE is a small system with a shell that is here already, REPOSITORY a name in a
registry that may be pushed to. Prints one line for each part; the first difference ends it.
"""

import io
import json
import sys
import tarfile
import threading
import time
import warnings

import docker
from docker import errors

warnings.simplefilter("ignore")
IMAGE, REPOSITORY = sys.argv[1:3]
client = docker.from_env(timeout=60)
api = client.api
PARTS = []


def part(f):
    PARTS.append(f)
    return f


def same(got, want):
    if got != want:
        raise AssertionError("got %r, want %r" % (got, want))


def holds(what, *shown):
    if not what:
        raise AssertionError("not so: %r" % (shown,))


def refused(kind, status, text, f, *args, **kwargs):
    try:
        f(*args, **kwargs)
    except kind as e:
        if status:
            same(e.response.status_code, status)
            holds(text in e.explanation, e.explanation)
        else:
            holds(text in str(e), str(e))
        return e
    raise AssertionError("not refused: %s%r" % (f.__name__, args))


def archive(**files):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        for name, body in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(body)
            tar.addfile(entry, io.BytesIO(body.encode()))
    out.seek(0)
    return out


@part
def system():
    holds(client.ping())
    version = client.version()
    holds(version["ApiVersion"] and version["Components"][0]["Name"] == "Engine", version)
    info = client.info()
    same(info["OSType"], "linux")
    same(info["Swarm"]["LocalNodeState"], "inactive")
    holds({"Volumes", "VolumeUsage"} & set(client.df()))  # before 1.52, and since
    same(client.plugins.list(), [])
    refused(errors.APIError, 503, "This node is not a swarm manager", client.services.list)
    refused(errors.APIError, 503, "This node is not a swarm manager", client.secrets.list)


@part
def run():
    same(client.containers.run(IMAGE, "echo hello", remove=True), b"hello\n")
    same(client.containers.run(IMAGE, ["sh", "-c", "echo err >&2"], stderr=True, stdout=False, remove=True), b"err\n")
    e = refused(errors.ContainerError, None, "non-zero exit status 3", client.containers.run, IMAGE, ["sh", "-c", "echo why >&2; exit 3"], remove=True)
    same((e.exit_status, e.stderr), (3, b"why\n"))
    refused(errors.NotFound, 404, "not found", client.containers.run, REPOSITORY + "/none")
    refused(errors.APIError, 400, "executable file not found", client.containers.run, IMAGE, "nosuchprogram", remove=True)
    lines = client.containers.run(IMAGE, ["sh", "-c", "echo one; echo two"], stream=True)
    same(list(lines), [b"one\n", b"two\n"])
    c = client.containers.run(IMAGE, "sleep 60", detach=True, name="py-run", hostname="there", environment={"A": "b"}, labels={"story": "run"},
                              mem_limit="64m", ports={"80/tcp": None}, tmpfs={"/scratch": "size=1m"}, working_dir="/tmp", restart_policy={"Name": "on-failure", "MaximumRetryCount": 2})
    same((c.name, c.status, c.labels), ("py-run", "created", {"story": "run"}))
    c.reload()
    same((c.status, c.attrs["HostConfig"]["Memory"], c.attrs["Config"]["Hostname"]), ("running", 64 << 20, "there"))
    holds(int(c.ports["80/tcp"][0]["HostPort"]) > 0, c.ports)
    holds(IMAGE in c.image.tags, c.image.tags)
    same([x.name for x in client.containers.list(filters={"label": "story=run"})], ["py-run"])
    same(c.exec_run("sh -c 'echo $A; pwd; hostname'"), (0, b"b\n/tmp\nthere\n"))
    e = refused(errors.APIError, 409, "container is running: stop the container before removing or force remove", c.remove)
    holds(e.is_client_error() and not e.is_server_error())
    c.stop(timeout=0)
    same(c.wait()["StatusCode"], 137)
    c.remove()
    refused(errors.NotFound, 404, "No such container: py-run", client.containers.get, "py-run")


@part
def words():
    made = api.create_container(IMAGE, command="sh -c 'echo \"a  b\"'", entrypoint=None, name="py-words")
    same(made["Warnings"] or [], [])
    api.start(made)
    same(api.wait(made)["StatusCode"], 0)
    same(api.logs(made), b"a  b\n")
    seen = api.inspect_container(made)
    same((seen["Path"], seen["Args"], seen["State"]["ExitCode"]), ("sh", ["-c", 'echo "a  b"'], 0))
    api.remove_container(made)
    one = api._result(api._post_json(api._url("/containers/create"), data={"Image": IMAGE, "Cmd": "true"}), True)
    same(api.inspect_container(one["Id"])["Config"]["Cmd"], ["true"])
    api.remove_container(one["Id"], v=True)


@part
def attach():
    made = api.create_container(IMAGE, command="cat", stdin_open=True)
    s = api.attach_socket(made, params={"stdin": 1, "stdout": 1, "stream": 1})
    api.start(made)
    s._sock.sendall(b"through\n")
    s._sock.shutdown(1)  # half of it: cat ends, its output still arrives
    got = b""
    while True:
        chunk = s._sock.recv(4096)
        if not chunk:
            break
        got += chunk
    same(got, b"\x01\0\0\0\0\0\0\x08through\n")
    s.close()
    api.remove_container(made, force=True)
    c = client.containers.create(IMAGE, ["sh", "-c", "echo out; echo err >&2"])
    stream = c.attach(stream=True, demux=True, logs=True)
    c.start()
    both = list(stream)
    same(b"".join(o or b"" for o, _ in both), b"out\n")
    same(b"".join(e or b"" for _, e in both), b"err\n")
    c.remove(force=True)


@part
def logs():
    c = client.containers.run(IMAGE, ["sh", "-c", "for i in 1 2 3; do echo $i; done; sleep 0.2; echo last"], detach=True)
    same(b"".join(c.logs(stream=True, follow=True)), b"1\n2\n3\nlast\n")
    same(c.logs(tail=2), b"3\nlast\n")
    same(c.logs(tail=0), b"")
    stamp, text = c.logs(timestamps=True, tail=1).split(b" ", 1)
    same((text, len(stamp)), (b"last\n", len("2006-01-02T15:04:05.000000000Z")))
    same(c.logs(since=int(time.time()) + 100), b"")
    c.remove()
    small = client.containers.run(IMAGE, ["sh", "-c", "for i in $(seq 300); do echo line $i; usleep 5000; done"], detach=True,
                                  log_config={"type": "json-file", "config": {"max-size": "8k", "max-file": "50"}})
    got = b"".join(small.logs(stream=True, follow=True)).split()  # across rotations
    same((len(got), got[-1]), (600, b"300"))
    same(small.logs(tail=1), b"line 300\n")
    small.remove()
    refused(errors.APIError, 400, "zz", client.containers.create, IMAGE, log_config={"type": "zz", "config": {}})


@part
def execs():
    c = client.containers.run(IMAGE, "sleep 60", detach=True)
    same(c.exec_run(["sh", "-c", "echo o; echo e >&2; exit 7"], demux=True), (7, (b"o\n", b"e\n")))
    same(c.exec_run("id -u", user="nobody"), (0, b"65534\n"))
    same(c.exec_run("pwd", workdir="/data"), (0, b"/data\n"))
    same(c.exec_run("test -t 1", tty=True).exit_code, 0)
    same(b"".join(c.exec_run("cat /data/seed", stream=True).output), b"from the image\n")
    made = api.exec_create(c.id, "sleep 60")
    seen = api.exec_inspect(made["Id"])
    same((seen["Running"], seen["ExitCode"], seen["ProcessConfig"]["entrypoint"]), (False, None, "sleep"))
    api.exec_start(made["Id"], detach=True)
    holds(api.exec_inspect(made["Id"])["Running"])
    same(api.inspect_container(c.id)["ExecIDs"], [made["Id"]])
    s = c.exec_run("cat", stdin=True, socket=True).output
    s._sock.sendall(b"x")
    s._sock.shutdown(1)
    same(s._sock.recv(8 + 1), b"\x01\0\0\0\0\0\0\x01x")
    s.close()
    c.pause()
    refused(errors.APIError, 409, "is paused, unpause the container before exec", c.exec_run, "true")
    c.unpause()
    refused(errors.APIError, 404, "No such exec instance", api.exec_inspect, "none")
    c.remove(force=True)
    refused(errors.NotFound, 404, "No such container", c.exec_run, "true")


@part
def files():
    c = client.containers.create(IMAGE, "true", name="py-files")
    holds(c.put_archive("/data", archive(new="in")))
    stream, stat = c.get_archive("/data/new")
    same((stat["name"], stat["size"]), ("new", 2))
    with tarfile.open(fileobj=io.BytesIO(b"".join(stream))) as tar:
        same(tar.extractfile("new").read(), b"in")
    same([(d["Path"], d["Kind"]) for d in c.diff()], [("/data", 0), ("/data/new", 1)])
    refused(errors.NotFound, 404, "/none", c.get_archive, "/none")
    with tarfile.open(fileobj=io.BytesIO(b"".join(c.export()))) as tar:
        holds("data/new" in tar.getnames())
    image = c.commit(REPOSITORY + "/kept", tag="1", message="why", changes=["ENV K=v", 'CMD ["cat", "/data/new"]'])
    same(client.containers.run(image, remove=True), b"in")
    same(image.history()[0]["Comment"], "why")
    c.rename("py-renamed")
    c.reload()
    same(c.name, "py-renamed")
    c.remove()
    client.images.remove(REPOSITORY + "/kept:1")
    plain = client.containers.create(IMAGE, "true")
    same(plain.diff(), None)
    plain.remove()


@part
def life():
    c = client.containers.run(IMAGE, ["sh", "-c", "trap 'exit 5' TERM; while :; do sleep 0.01; done"], detach=True, name="py-life", init=True)
    top = c.top()
    holds("PID" in top["Titles"] and len(top["Processes"]) >= 1, top)
    same(c.top(ps_args="-o pid")["Titles"], ["PID"])
    s = c.stats(stream=False)
    holds(s["memory_stats"]["usage"] > 0 and s["cpu_stats"]["cpu_usage"]["total_usage"] > 0 and s["precpu_stats"]["cpu_usage"], s)
    for s in c.stats(stream=True, decode=True):
        holds(s["pids_stats"]["current"] > 0, s)
        break
    api.resize(c.id, 20, 80)
    same(c.update(mem_limit="128m", memswap_limit="256m")["Warnings"], None)
    refused(errors.APIError, 400, "invalid signal: zz", c.kill, signal="zz")
    waited = []
    watch = threading.Thread(target=lambda: waited.append(c.wait(condition="next-exit")))
    watch.start()
    time.sleep(0.3)
    c.kill(signal="SIGTERM")
    watch.join(30)
    same([w["StatusCode"] for w in waited], [5])
    c.start()
    c.restart(timeout=0)
    c.reload()
    same((c.status, c.attrs["RestartCount"]), ("running", 0))
    refused(errors.APIError, 409, "is already in use by container", client.containers.create, IMAGE, name="py-life")
    c.stop(timeout=0)
    c.start()
    c.remove(force=True)
    checked = client.containers.run(IMAGE, "sleep 60", detach=True, healthcheck={"test": ["CMD-SHELL", "true"], "interval": 100 * 1000000, "retries": 1})
    for _ in range(200):
        if api.inspect_container(checked.id)["State"]["Health"]["Status"] == "healthy":
            break
        time.sleep(0.05)
    else:
        raise AssertionError("never healthy")
    checked.remove(force=True)
    dead = client.containers.create(IMAGE, "true", labels={"story": "prune"})
    same(client.containers.prune(filters={"label": "story=none"})["ContainersDeleted"], None)
    same(client.containers.prune(filters={"label": "story=prune"})["ContainersDeleted"], [dead.id])


@part
def images():
    image = client.images.get(IMAGE)
    holds(image.id.startswith("sha256:") and image.short_id.startswith("sha256:") and image.attrs["Os"] == "linux")
    holds(image.tag(REPOSITORY + "/mine", tag="1"))
    told = [json.loads(line) for line in client.images.push(REPOSITORY + "/mine", tag="1").splitlines()]
    holds(any("digest" in m.get("status", "") for m in told) and not any("error" in m for m in told), told)
    told = [json.loads(line) for line in client.images.push(REPOSITORY + "/mine", tag="none").splitlines()]
    holds("does not exist" in told[-1]["error"], told)
    client.images.remove(REPOSITORY + "/mine:1")
    refused(errors.ImageNotFound, 404, "No such image", client.images.get, REPOSITORY + "/mine:1")
    holds(REPOSITORY + "/mine:1" in client.images.pull(REPOSITORY + "/mine", tag="1").tags)
    holds(client.images.get_registry_data(REPOSITORY + "/mine:1").id.startswith("sha256:"))
    refused(errors.NotFound, 404, "not found", client.images.pull, REPOSITORY + "/mine", tag="none")
    saved = b"".join(client.images.get(REPOSITORY + "/mine:1").save(named=REPOSITORY + "/mine:1"))
    client.images.remove(REPOSITORY + "/mine:1")
    holds(REPOSITORY + "/mine:1" in client.images.load(saved)[0].tags)
    refused(errors.ImageLoadError, None, "", client.images.load, b"no archive at all" * 100)
    same([REPOSITORY + "/mine:1" in i.tags for i in client.images.list(name=REPOSITORY + "/mine")], [True])
    client.images.remove(REPOSITORY + "/mine:1")
    same(client.images.prune(filters={"label": "story=none"})["ImagesDeleted"], None)
    api.import_image_from_data(archive(hello="x").getvalue(), repository=REPOSITORY + "/imported", tag="1")
    same(len(api.inspect_image(REPOSITORY + "/imported:1")["RootFS"]["Layers"]), 1)
    client.images.remove(REPOSITORY + "/imported:1")


@part
def build():
    context = archive(Dockerfile="FROM %s\nARG WHO\nRUN echo built for $WHO > /made\nCOPY note /note\nLABEL story=build\nCMD [\"cat\", \"/made\", \"/note\"]\n" % IMAGE, note="a note\n")
    image, told = client.images.build(fileobj=context, custom_context=True, tag=REPOSITORY + "/built", buildargs={"WHO": "py"}, rm=True)
    text = "".join(m.get("stream", "") for m in told)
    holds("Step 1/6 : FROM" in text and "Successfully built" in text, text)
    same(image.labels, {"story": "build"})
    same(client.containers.run(image, remove=True), b"built for py\na note\n")
    bad = archive(Dockerfile="FROM %s\nRUN exit 4\n" % IMAGE)
    e = refused(errors.BuildError, None, "returned a non-zero code: 4", client.images.build, fileobj=bad, custom_context=True)
    holds(any("Step 2/2" in m.get("stream", "") for m in e.build_log))
    client.images.remove(REPOSITORY + "/built:latest", force=True)


@part
def networks():
    pool = docker.types.IPAMPool(subnet="10.97.0.0/24", gateway="10.97.0.1")
    net = client.networks.create("py-net", ipam=docker.types.IPAMConfig(pool_configs=[pool]), labels={"story": "net"}, check_duplicate=True)
    same((net.attrs["Driver"], net.attrs["IPAM"]["Config"][0]["Subnet"], net.containers), ("bridge", "10.97.0.0/24", []))
    refused(errors.APIError, 409, "network with name py-net already exists", client.networks.create, "py-net", check_duplicate=True)
    web = client.containers.create(IMAGE, ["sh", "-c", "echo page > /tmp/index.html; httpd -f -p 80 -h /tmp"], name="py-web")
    net.connect(web, aliases=["site"], ipv4_address="10.97.0.77")
    client.networks.get("bridge").disconnect(web)
    web.start()
    net.reload()
    same([c.name for c in net.containers], ["py-web"])
    same(client.containers.run(IMAGE, ["sh", "-c", "for i in $(seq 50); do wget -qO- http://site && exit; sleep 0.1; done; exit 1"], network="py-net", remove=True), b"page\n")
    web.reload()
    same(web.attrs["NetworkSettings"]["Networks"]["py-net"]["IPAddress"], "10.97.0.77")
    refused(errors.APIError, 403, "has active endpoints", net.remove)
    net.disconnect(web)
    refused(errors.APIError, 500, "is not connected to", net.disconnect, web)
    web.remove(force=True)
    same([n.name for n in client.networks.list(filters={"label": "story=net"})], ["py-net"])
    same(client.networks.prune(filters={"label": "story=net"})["NetworksDeleted"], ["py-net"])
    refused(errors.NotFound, 404, "network py-net not found", client.networks.get, "py-net")


@part
def volumes():
    v = client.volumes.create("py-vol", labels={"story": "vol"})
    same(client.containers.run(IMAGE, ["sh", "-c", "cat /data/seed; echo x > /data/kept"], volumes={"py-vol": {"bind": "/data", "mode": "rw"}}, remove=True), b"from the image\n")
    c = client.containers.create(IMAGE, "cat /mnt/kept", volumes=["py-vol:/mnt:ro"])
    refused(errors.APIError, 409, "volume is in use", v.remove)
    c.start()
    same((c.wait()["StatusCode"], c.logs()), (0, b"x\n"))
    same([(m["Name"], m["RW"]) for m in api.inspect_container(c.id)["Mounts"]], [("py-vol", False)])
    c.remove()
    same([x.name for x in client.volumes.list(filters={"label": "story=vol"})], ["py-vol"])
    v.remove()
    refused(errors.NotFound, 404, "py-vol", client.volumes.get, "py-vol")


@part
def events():
    start = time.time() - 0.001
    c = client.containers.run(IMAGE, "true", detach=True, name="py-events", labels={"story": "events"})
    c.wait()
    c.remove()
    replay = client.events(since=start, until=time.time() + 0.5, decode=True, filters={"label": "story=events"})
    same([e["Action"] for e in replay if e["Type"] == "container"], ["create", "start", "die", "destroy"])
    live, seen = client.events(decode=True, filters={"event": ["create", "destroy"], "label": "story=live"}), []

    def listen():
        for e in live:
            seen.append(e["Action"])
            if len(seen) == 40:
                return

    ear = threading.Thread(target=listen, daemon=True)
    ear.start()
    time.sleep(0.3)
    for _ in range(20):
        client.containers.create(IMAGE, "true", labels={"story": "live"}).remove()
    ear.join(30)
    live.close()
    same((seen.count("create"), seen.count("destroy")), (20, 20))


if __name__ == "__main__":
    print("docker-py", docker.__version__, "API", api._version, flush=True)
    for f in PARTS:
        f()
        print("ok", f.__name__, flush=True)
