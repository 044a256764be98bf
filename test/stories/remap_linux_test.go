package stories

import (
	"archive/tar"
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/berthhq/berth/test/harness"
	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/client"
	"golang.org/x/sys/unix"
)

// remapped is an engine whose containers' root is 100000:200000 of the machine.
func remapped(t *testing.T) *harness.World {
	t.Helper()
	root := harness.StateDir(t)
	w := harness.Empty(t, root)
	w.Must(os.Chmod(root, 0o711)) // containers' root walks through it, as through the machine-wide one
	for file, line := range map[string]string{"/etc/subuid": "nobody:100000:65536\n", "/etc/subgid": "nogroup:200000:65536\n"} {
		own := filepath.Join(t.TempDir(), "ids")
		w.Must(os.WriteFile(own, []byte(line), 0o644))
		w.Must(unix.Mount(own, file, "", unix.MS_BIND, ""))
		t.Cleanup(func() { unix.Unmount(file, unix.MNT_DETACH) })
	}
	config := filepath.Join(t.TempDir(), "engine.json")
	w.Must(os.WriteFile(config, []byte(`{"userns-remap":"nobody:nogroup"}`), 0o644))
	w.Args = []string{"--root", root, "--config-file", config}
	w.Layout = w.Layout.Remapped(100000, 200000)
	w.Registry = harness.NewRegistry(t, nil)
	w.Start()
	w.Take("bb", harness.Busybox(t))
	return w
}

// whose is the owner of a file on the machine.
func whose(name string) string {
	var st unix.Stat_t
	if err := unix.Lstat(name, &st); err != nil {
		return err.Error()
	}
	return fmt.Sprint(st.Uid, ":", st.Gid)
}

// script is a container that runs a shell script.
func script(text string, change func(*container.HostConfig)) harness.Spec {
	return harness.Spec{Cmd: []string{"sh", "-c", text}, Conf: func(_ *container.Config, h *container.HostConfig) {
		if change != nil {
			change(h)
		}
	}}
}

func TestUsersAreMapped(t *testing.T) {
	w := remapped(t)
	w.Part("root is somebody else", func(w *harness.World) {
		id := w.Run(script("echo up >/up; exec sleep 1000", nil))
		b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", w.Inspect(id).State.Pid))
		if err != nil || !strings.Contains(string(b), "\nUid:\t100000\t") || !strings.Contains(string(b), "\nGid:\t200000\t") {
			w.Errorf("on the machine it is %s, %v", b, err)
		}
		if out, code := w.Exec(id, "sh", "-c", "id -u; cat /proc/self/uid_map; stat -c %u:%g /up /etc/hosts /bin/busybox /dev/shm"); code != 0 ||
			strings.Join(strings.Fields(out), " ") != "0 0 100000 65536 0:0 0:0 0:0 0:0" {
			w.Errorf("inside, code %d: %q", code, out)
		}
		if out, code, err := w.TryExec(id, client.ExecCreateOptions{Cmd: []string{"sh", "-c", "id -u; touch /root.txt 2>/dev/null || echo no"}, User: "33"}); err != nil || code != 0 || !strings.HasPrefix(out, "33\n") || !strings.HasSuffix(out, "no\n") {
			w.Errorf("as another: %q, %d, %v", out, code, err)
		}
		if out, code := w.Exec(id, "sh", "-c", "mount -t tmpfs x /mnt || mount -o remount,rw /proc/sys || echo 1 >/proc/sys/kernel/sysrq || hostname other"); code == 0 {
			w.Errorf("it is the machine's administrator: %q", out)
		}
		w.Remove(id)
	})
	w.Part("volumes", func(w *harness.World) {
		if out := in(w, "stat -c %u:%g /data /data/seed; touch /data/mine /data/his; chown 33:33 /data/his", "filled:/data"); out != "0:0\n0:0\n" {
			w.Errorf("inside: %q", out)
		}
		in(w, "touch /v/first", "bare:/v")
		for file, want := range map[string]string{"filled/_data": "100000:200000", "filled/_data/mine": "100000:200000", "filled/_data/his": "100033:200033", "filled/_data/seed": "100000:200000", "bare/_data": "100000:200000", "bare/_data/first": "100000:200000"} {
			if got := whose(filepath.Join(w.Layout.Volumes(), file)); got != want {
				w.Errorf("%s is %s's, want %s", file, got, want)
			}
		}
	})
	w.Part("binds stay the machine's", func(w *harness.World) {
		dir := w.TempDir()
		w.Must(os.Chmod(dir, 0o755))
		w.Must(os.WriteFile(filepath.Join(dir, "secret"), []byte("secret"), 0o600))
		out := in(w, "cat /m/secret 2>/dev/null || echo unread; touch /m/new 2>/dev/null || echo unwritten; chown 0:0 /m/secret 2>/dev/null || echo kept; stat -c %u /m/secret", dir+":/m")
		if out != "unread\nunwritten\nkept\n65534\n" {
			w.Errorf("%q", out)
		}
	})
	w.Part("what cannot be shared", remapConflicts)
	w.Part("copies", remapCopies)
	w.Part("commit", remapCommit)
	w.Part("--userns host", func(w *harness.World) {
		out := w.Output(script("cat /proc/self/uid_map; touch /x; stat -c %u /x", func(h *container.HostConfig) { h.UsernsMode = "host"; h.Privileged = true }))
		if strings.Join(strings.Fields(out), " ") != "0 0 4294967295 0" {
			w.Errorf("%q", out)
		}
	})
	w.Part("network", remapNetwork)
	w.Part("the engine comes back", remapRestart)
}

func remapConflicts(w *harness.World) {
	for want, change := range map[string]func(*container.HostConfig){
		"privileged mode is incompatible with user namespaces.  You must run the container in the host namespace when running privileged mode": func(h *container.HostConfig) { h.Privileged = true },
		"cannot share the host's network namespace when user namespaces are enabled":                                                           func(h *container.HostConfig) { h.NetworkMode = "host" },
		"cannot share the host PID namespace when user namespaces are enabled":                                                                 func(h *container.HostConfig) { h.PidMode = "host" },
	} {
		_, err := w.TryCreate(script("true", change))
		oneLine(w, want, err, want)
	}
}

func remapCopies(w *harness.World) {
	var b bytes.Buffer
	t := tar.NewWriter(&b)
	for name, uid := range map[string]int{"roots": 0, "his": 77} {
		w.Must(t.WriteHeader(&tar.Header{Name: name, Typeflag: tar.TypeReg, Mode: 0o600, Uid: uid, Gid: uid, Size: 1}))
		_, err := t.Write([]byte("x"))
		w.Must(err)
	}
	w.Must(t.Close())
	for _, running := range []bool{true, false} {
		id := w.Create(script("exec sleep 1000", func(h *container.HostConfig) { h.Binds = []string{"copied:/v"} }))
		if running {
			w.Begin(id)
		}
		for _, dir := range []string{"/bin", "/v"} {
			_, err := w.API.CopyToContainer(w.Ctx(), id, client.CopyToContainerOptions{DestinationPath: dir, Content: bytes.NewReader(b.Bytes()), CopyUIDGID: false})
			w.Must(err)
			for name, want := range map[string]string{"roots": "roots 0 0 x", "his": "his 0 77 x"} {
				if got := listing(w, id, dir+"/"+name); got != want {
					w.Errorf("running %v, out of %s: %q, want %q", running, dir, got, want)
				}
			}
		}
		if !running {
			w.Begin(id)
		}
		if out, _ := w.Exec(id, "stat", "-c", "%u:%g", "/bin/roots", "/bin/his", "/v/roots", "/v/his"); out != "0:0\n77:77\n0:0\n77:77\n" {
			w.Errorf("running %v, inside: %q", running, out)
		}
		if got := whose(filepath.Join(w.Layout.VolumeData("copied"), "his")); got != "100077:200077" {
			w.Errorf("running %v, in the volume on the machine: %s", running, got)
		}
		w.Remove(id)
	}
}

func remapCommit(w *harness.World) {
	id := w.Run(script("touch /roots /his; chown 33:33 /his; chmod 4755 /bin/busybox", nil))
	w.Wait(id)
	_, err := w.API.ContainerCommit(w.Ctx(), id, client.ContainerCommitOptions{Reference: "made"})
	w.Must(err)
	w.Remove(id)
	s := script("stat -c %u:%g /roots /his", nil)
	s.Image = "made"
	if out := w.Output(s); out != "0:0\n33:33\n" {
		w.Errorf("of what was committed: %q", out)
	}
	s.Conf = func(_ *container.Config, h *container.HostConfig) { h.UsernsMode = "host" }
	if out := w.Output(s); out != "0:0\n33:33\n" {
		w.Errorf("of the same, unmapped: %q", out)
	}
}

func remapNetwork(w *harness.World) {
	first := w.Run(harness.Spec{Name: "first", Cmd: []string{"sh", "-c", "exec sleep 1000"}})
	ping := "ping -c1 -W20 "
	out := w.Output(script(ping+w.Inspect(first).NetworkSettings.Networks["bridge"].IPAddress.String()+" >/dev/null && echo reached", nil))
	if out != "reached\n" {
		w.Errorf("a neighbour: %q", out)
	}
	out = w.Output(script("ls /proc | grep -c '^[0-9]*$' >/dev/null; kill -0 1 && echo seen; cat /proc/1/cmdline | tr '\\0' ' '", func(h *container.HostConfig) {
		h.NetworkMode, h.PidMode = "container:first", "container:first"
	}))
	if !strings.HasPrefix(out, "seen\nsleep 1000") {
		w.Errorf("who shares its processes: %q", out)
	}
	w.Remove(first)
}

func remapRestart(w *harness.World) {
	id := w.Run(script("exec sleep 1000", nil))
	pid := w.Inspect(id).State.Pid
	w.Signal(unix.SIGKILL)
	w.Start()
	if st := w.Inspect(id).State; !st.Running || st.Pid != pid {
		w.Errorf("after the engine's end: %+v", st)
	}
	if out, code := w.Exec(id, "id", "-u"); out != "0\n" || code != 0 {
		w.Errorf("exec: %q, %d", out, code)
	}
	info, err := w.API.Info(w.Ctx(), client.InfoOptions{})
	w.Must(err)
	if got := strings.Join(info.Info.SecurityOptions, " "); got != "name=seccomp,profile=builtin name=userns" || info.Info.DockerRootDir != w.Layout.Root {
		w.Errorf("info: %s, root %s", got, info.Info.DockerRootDir)
	}
	w.Remove(id)
}
