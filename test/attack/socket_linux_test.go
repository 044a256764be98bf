package attack

import (
	"encoding/hex"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/berthhq/berth/test/harness"
	"github.com/moby/moby/api/pkg/authconfig"
	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/registry"
	"github.com/moby/moby/client"
)

// CVE-2020-15257, CVE-2025-9074: nothing that a container reaches answers the engine's API.
func TestNoContainerReachesTheEngine(t *testing.T) {
	w := newWorld(t)
	_, err := w.API.NetworkCreate(w.Ctx(), "other", client.NetworkCreateOptions{})
	w.Must(err)
	first := w.Run(harness.Spec{Cmd: []string{"sleep", "1000"}})
	second := w.Run(harness.Spec{Cmd: []string{"sleep", "1000"}, Conf: func(_ *container.Config, h *container.HostConfig) { h.NetworkMode = "other" }})
	hosts := []string{"127.0.0.1", "127.0.0.11", "[::1]", "169.254.169.254", "192.168.65.254", "172.17.0.1"}
	for _, id := range []string{first, second} {
		for _, n := range w.Inspect(id).NetworkSettings.Networks {
			hosts = append(hosts, n.Gateway.String(), n.IPAddress.String())
		}
	}
	addrs := []string{"/probe", "ask"}
	for _, host := range hosts {
		for _, port := range ports(t) {
			addrs = append(addrs, host+":"+fmt.Sprint(port))
		}
	}
	for _, network := range []container.NetworkMode{"bridge", "other", "host", "none"} {
		w.Part("network "+string(network), func(w *harness.World) {
			for _, cmd := range [][]string{addrs, {"/probe", "abstract"}, {"/probe", "vsock"}} {
				id := w.Run(harness.Spec{Image: "evil", Cmd: cmd, Conf: func(_ *container.Config, h *container.HostConfig) {
					h.NetworkMode, h.CapAdd = network, []string{"NET_ADMIN", "NET_RAW"}
				}})
				w.Wait(id)
				out, errs := w.Logs(id)
				if strings.Contains(out, "answers") || strings.Contains(out, "open:") || !strings.Contains(out, "done") && !strings.Contains(out, "asked") {
					w.Errorf("%s: %s%s", cmd[1], out, errs)
				}
			}
		})
	}
}

// ports are those that clients of docker know, and every port at which anything of this machine listens.
func ports(t *testing.T) []uint16 {
	t.Helper()
	seen := map[uint16]bool{2375: true, 2376: true, 2377: true, 4243: true, 80: true, 443: true, 53: true, 8080: true, 5000: true}
	for _, name := range []string{"/proc/net/tcp", "/proc/net/tcp6"} {
		for _, l := range listeners(t, name) {
			seen[l.Port()] = true
		}
	}
	out := []uint16{}
	for p := range seen {
		out = append(out, p)
	}
	return out
}

// listeners are the addresses of a table of the kernel in which somebody listens (proc(5)).
func listeners(t *testing.T, name string) (out []netip.AddrPort) {
	t.Helper()
	b, err := os.ReadFile(name)
	if err != nil {
		return nil
	}
	for line := range strings.Lines(string(b)) {
		f := strings.Fields(line)
		if len(f) < 4 || f[3] != "0A" {
			continue
		}
		host, port, _ := strings.Cut(f[1], ":")
		p, err := hex.DecodeString(port)
		if err != nil || len(p) != 2 {
			t.Fatalf("%s: %q", name, line)
		}
		addr := netip.IPv6Unspecified()
		if raw, err := hex.DecodeString(host); err == nil && len(raw) == 4 {
			addr = netip.AddrFrom4([4]byte{raw[3], raw[2], raw[1], raw[0]})
		}
		out = append(out, netip.AddrPortFrom(addr, uint16(p[0])<<8|uint16(p[1])))
	}
	return out
}

// Of this machine's addresses berth listens at none: the test's registry alone does.
func TestTheEngineListensOnItsSocketOnly(t *testing.T) {
	w := newWorld(t)
	w.Run(harness.Spec{Cmd: []string{"sleep", "1000"}})
	for _, name := range []string{"/proc/net/tcp", "/proc/net/tcp6"} {
		for _, l := range listeners(t, name) {
			if l.String() != w.Registry.Addr {
				t.Errorf("somebody listens at %s", l)
			}
		}
	}
	b, err := os.ReadFile("/proc/net/unix")
	w.Must(err)
	for line := range strings.Lines(string(b)) {
		if f := strings.Fields(line); len(f) == 8 && strings.HasPrefix(f[7], "@") {
			t.Errorf("an abstract socket, which has no mode: %s", f[7])
		}
	}
}

// CVE-2021-41091, CVE-2024-25621: another user of the machine can neither use a socket of berth nor reach a file of it,
// also one whose name he knows, such as a setuid program in a container or a volume.
func TestOthersSeeNothing(t *testing.T) {
	open := harness.StateDir(t)
	if err := os.Chmod(open, 0o755); err != nil {
		t.Fatal(err)
	}
	w := harness.NewAt(t, filepath.Join(open, "state")) // made by the engine, as on a fresh machine
	make := "cp /bin/busybox /setuid; chmod 4755 /setuid; cp /setuid /vol/setuid; chmod 777 /vol; echo secret > /vol/open; chmod 666 /vol/open; echo said; sleep 1000"
	id := w.Run(harness.Spec{Cmd: []string{"sh", "-c", make}, Conf: func(_ *container.Config, h *container.HostConfig) {
		h.Binds = []string{"known:/vol"}
		h.IpcMode = "shareable"
	}})
	w.Eventually("it has said so", func() bool { out, _ := w.Logs(id); return out == "said\n" })
	var all []string
	w.Must(filepath.WalkDir(w.Layout.Root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return nil // of something that came and went
		}
		all = append(all, path)
		if fi, err := d.Info(); err == nil && d.Type() == fs.ModeSocket && fi.Mode().Perm()&0o007 != 0 {
			t.Errorf("%s has mode %v", path, fi.Mode())
		}
		return nil
	}))
	if len(all) < 20 {
		t.Fatalf("only %d files", len(all))
	}
	for len(all) > 0 {
		n := min(len(all), 1000)
		out, err := exec.Command(filepath.Join(harness.Bin(), "probe"), append([]string{"as"}, all[:n]...)...).CombinedOutput()
		if err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		for line := range strings.Lines(string(out)) {
			switch strings.TrimSpace(line) {
			case "executes: " + w.Layout.Root, "executes: " + w.Layout.Run: // the way to the socket, not to be listed
			default:
				if !strings.HasPrefix(line, "tried") {
					t.Errorf("somebody else %s", line)
				}
			}
		}
		all = all[n:]
	}
}

// CVE-2025-3911: what programs write down about themselves holds no password and no value of a variable.
func TestLogsHoldNoSecrets(t *testing.T) {
	w := newWorld(t)
	const password, value = "pass-7f3a9", "value-5c21e"
	encoded, err := authconfig.Encode(registry.AuthConfig{Username: "somebody", Password: password, ServerAddress: w.Registry.Addr})
	w.Must(err)
	for _, ref := range []string{"/evil:latest", "/missing:latest"} {
		r, err := w.API.ImagePull(w.Ctx(), w.Registry.Addr+ref, client.ImagePullOptions{RegistryAuth: encoded})
		if err == nil {
			r.Wait(w.Ctx())
			r.Close()
		}
	}
	for _, cmd := range []string{"true", "/missing", "/etc"} {
		id := w.Create(harness.Spec{Cmd: []string{cmd}, Conf: func(c *container.Config, _ *container.HostConfig) { c.Env = []string{"SECRET=" + value} }})
		if w.TryStart(id) == nil {
			w.Wait(id)
		}
	}
	said := w.Log.String()
	for _, name := range []string{w.Layout.SupervisorLog(), w.Layout.EngineLog()} {
		b, _ := os.ReadFile(name)
		said += string(b)
	}
	for _, secret := range []string{password, value} {
		if strings.Contains(said, secret) {
			t.Errorf("%q stands in a log:\n%s", secret, said)
		}
	}
}
