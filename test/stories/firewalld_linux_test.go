package stories

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/berthhq/berth/test/harness"
	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/client"
	"golang.org/x/sys/unix"
)

// Containers reach out and are reached where firewalld runs, also after it reloads, and nobody has to tell it of them.
func TestFirewalld(t *testing.T) {
	need(t, "firewalld", "firewall-cmd", "dbus-daemon")
	systemBus(t)
	w := harness.New(t)
	addNeighbour(t)
	web := w.Run(harness.Spec{Name: "web", Cmd: httpd(), Conf: func(c *container.Config, h *container.HostConfig) { publish(c, h, "", 8081, 80) }})
	w.Eventually("both ways without firewalld", func() bool { return arrives(8081) && leaves(w, web) })

	stop := startFirewalld(w)
	passes := func(when string) {
		w.Eventually("both ways "+when, func() bool { return arrives(8081) && leaves(w, web) })
	}
	passes("once firewalld runs")
	sh(t, "firewall-cmd", "--reload")
	passes("after a reload")
	w.Eventually("a zone of berth's own has the bridge", func() bool { return slices.Contains(zoneOf("berth"), bridgeOf(w, "bridge")) })

	_, err := w.API.NetworkCreate(w.Ctx(), "lan", client.NetworkCreateOptions{})
	w.Must(err)
	lan := bridgeOf(w, "lan")
	if !slices.Contains(zoneOf("berth"), lan) {
		t.Errorf("a new network's bridge %s is not in the zone: %v", lan, zoneOf("berth"))
	}
	_, err = w.API.NetworkRemove(w.Ctx(), "lan", client.NetworkRemoveOptions{})
	w.Must(err)
	if slices.Contains(zoneOf("berth"), lan) {
		t.Errorf("a removed network's bridge %s is still in the zone: %v", lan, zoneOf("berth"))
	}
	if said := noted(w); len(said) > 0 {
		t.Errorf("warned of what is no hindrance: %q", said)
	}

	w.Signal(unix.SIGKILL)
	stop()
	stop = startFirewalld(w)
	w.Start()
	passes("with an engine that comes back later than firewalld")
	stop()
}

// systemBus runs a D-Bus for the test's namespaces; firewalld's configuration is a copy from now on.
func systemBus(t *testing.T) {
	t.Helper()
	ownConfig(t, "/etc/firewalld")
	if err := os.MkdirAll("/run/dbus", 0o755); err != nil {
		t.Fatal(err)
	}
	bus := exec.Command("dbus-daemon", "--system", "--nofork", "--nopidfile", "--nosyslog")
	bus.Stderr = os.Stderr
	if err := bus.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = bus.Process.Kill()
		_ = bus.Wait()
		_ = os.RemoveAll("/run/dbus")
	})
	for range 100 {
		if _, err := os.Stat("/run/dbus/system_bus_socket"); err == nil {
			return
		}
		unix.Nanosleep(&unix.Timespec{Nsec: 50e6}, nil)
	}
	t.Fatal("no system bus")
}

// startFirewalld runs firewalld until stop, which takes its rules away.
func startFirewalld(w *harness.World) (stop func()) {
	w.Helper()
	log := filepath.Join(w.TempDir(), "firewalld.log")
	wall := exec.Command("firewalld", "--nofork", "--nopid", "--log-target", "file", "--log-file", log)
	w.Must(wall.Start())
	done := false
	stop = func() {
		if !done {
			done = true
			_ = wall.Process.Signal(unix.SIGTERM)
			_ = wall.Wait()
		}
	}
	w.Cleanup(stop)
	w.Eventually("firewalld runs", func() bool { return exec.Command("firewall-cmd", "--state").Run() == nil })
	return stop
}

// zoneOf lists the interfaces of a zone of firewalld.
func zoneOf(zone string) []string {
	out, _ := exec.Command("firewall-cmd", "--zone="+zone, "--list-interfaces").Output()
	return strings.Fields(string(out))
}

// bridgeOf is the name of a network's interface.
func bridgeOf(w *harness.World, name string) string {
	w.Helper()
	res, err := w.API.NetworkInspect(w.Ctx(), name, client.NetworkInspectOptions{})
	w.Must(err)
	if b := res.Network.Options["com.docker.network.bridge.name"]; b != "" {
		return b
	}
	return "br-" + res.Network.ID[:12]
}
