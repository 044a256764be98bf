package stories

import (
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/berthhq/berth/test/harness"
	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/client"
	"golang.org/x/sys/unix"
)

// firewall is another program's that stops containers' packets.
type firewall struct {
	name     string
	programs []string // skipped without them
	raise    []string // commands
	lower    []string
	list     string // a command that prints its rules
	says     string // is in what the engine says
}

func firewalls() []firewall {
	open := func(program string) []string {
		return []string{program + " -P INPUT ACCEPT", program + " -P FORWARD ACCEPT", program + " -F", program + " -X"}
	}
	return []firewall{
		{
			name: "ufw", programs: []string{"ufw", "iptables-save"},
			raise: []string{"ufw --force enable"}, lower: append(open("iptables"), open("ip6tables")...),
			list: "cat /etc/ufw/user.rules; iptables-save -t filter", says: "ufw route allow in on BRIDGE && ufw route allow out on BRIDGE",
		},
		{
			name: "docker", programs: []string{"iptables", "iptables-save"}, // what dockerd makes, as far as forwarding is concerned
			raise: []string{
				"iptables -N DOCKER-USER", "iptables -A DOCKER-USER -j RETURN", "iptables -N DOCKER",
				"iptables -A FORWARD -j DOCKER-USER", "iptables -A FORWARD -o docker0 -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT",
				"iptables -A FORWARD -o docker0 -j DOCKER", "iptables -A FORWARD -i docker0 ! -o docker0 -j ACCEPT", "iptables -P FORWARD DROP",
			},
			lower: open("iptables"), list: "iptables-save -t filter", says: "iptables -I DOCKER-USER -i BRIDGE -j ACCEPT",
		},
		{
			name: "iptables without nftables", programs: []string{"iptables-legacy", "iptables-legacy-save"},
			raise: []string{"iptables-legacy -P FORWARD DROP"}, lower: open("iptables-legacy"),
			list: "iptables-legacy-save -t filter", says: `iptables-legacy table "filter" (chain FORWARD)`,
		},
		{
			name: "a table of somebody's", programs: []string{"nft"},
			raise: []string{"nft 'add table ip fw; add chain ip fw f { type filter hook forward priority 5; policy drop; }'"}, lower: []string{"nft delete table ip fw"},
			list: "nft list table ip fw", says: "insert rule ip fw f iifname BRIDGE accept",
		},
	}
}

// The engine names the hook that stops its containers, and a command that helps; it changes nobody's rules itself.
func TestBesideOtherFirewalls(t *testing.T) {
	w := harness.New(t)
	addNeighbour(t)
	web := w.Run(harness.Spec{Name: "web", Cmd: httpd(), Conf: func(c *container.Config, h *container.HostConfig) { publish(c, h, "", 8081, 80) }})
	w.Eventually("both ways without a firewall", func() bool { return arrives(8081) && leaves(w, web) })
	for _, f := range firewalls() {
		w.Part(f.name, func(w *harness.World) { f.beside(w, web) })
	}
}

func (f firewall) beside(w *harness.World, web string) {
	need(w.T, f.programs...)
	if f.name == "ufw" {
		ownConfig(w.T, "/etc/ufw")
	}
	w.Cleanup(func() {
		for _, c := range f.lower {
			sh(w.T, "sh", "-c", c)
		}
	})
	for _, c := range f.raise {
		sh(w.T, "sh", "-c", c)
	}
	if arrives(8081) || leaves(w, web) {
		w.Fatal("the firewall stops nothing")
	}
	before := f.rules(w.T)
	said := noted(w)
	if len(said) != 1 || !strings.Contains(said[0], strings.ReplaceAll(f.says, "BRIDGE", bridgeOf(w, "bridge"))) {
		w.Fatalf("the engine says %q", said)
	}
	other := w.Run(harness.Spec{Cmd: httpd(), Conf: func(c *container.Config, h *container.HostConfig) { publish(c, h, "", 8082, 80) }})
	w.Remove(other)
	_, err := w.API.NetworkCreate(w.Ctx(), "passing", client.NetworkCreateOptions{})
	w.Must(err)
	_, err = w.API.NetworkRemove(w.Ctx(), "passing", client.NetworkRemoveOptions{})
	w.Must(err)
	if after := f.rules(w.T); after != before {
		w.Errorf("the engine changed them:\n%s\nwere\n%s", after, before)
	}
	_, remedy, _ := strings.Cut(said[0], "to let them through: ")
	sh(w.T, "sh", "-c", remedy)
	w.Eventually("both ways after "+remedy, func() bool { return arrives(8081) && leaves(w, web) })
	if again := noted(w); len(again) > 0 {
		w.Errorf("said again when it was done: %q", again)
	}
}

var counters = regexp.MustCompile(`(?m)\[\d+:\d+\]|^#.*$`)

// rules are those of the firewall, without what changes by itself.
func (f firewall) rules(t *testing.T) string {
	t.Helper()
	return counters.ReplaceAllString(sh(t, "sh", "-c", f.list), "")
}

// noted are the engine's warnings.
func noted(w *harness.World) []string {
	w.Helper()
	info, err := w.API.Info(w.Ctx(), client.InfoOptions{})
	w.Must(err)
	return info.Info.Warnings
}

// ownConfig puts a copy over a directory of the machine's configuration.
func ownConfig(t *testing.T, dir string) {
	t.Helper()
	if err := unix.Mount("tmpfs", "/mnt", "tmpfs", 0, ""); err != nil {
		t.Fatal(err)
	}
	defer unix.Unmount("/mnt", unix.MNT_DETACH)
	copied := filepath.Join("/mnt", filepath.Base(dir))
	if out, err := exec.Command("cp", "-a", dir, copied).CombinedOutput(); err != nil {
		t.Fatalf("copying %s: %v: %s", dir, err, out)
	}
	if err := unix.Mount(copied, dir, "", unix.MS_BIND, ""); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = unix.Unmount(dir, unix.MNT_DETACH) })
}
