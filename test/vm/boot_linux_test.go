package vm

import (
	"context"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/berthhq/berth/guestagent/disk"
	"github.com/berthhq/berth/hostagent/vm"
	"github.com/berthhq/berth/internal/agentapi"
	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/client"
)

// TestLifeOfAMachine is one story in the order of a machine's life, since a boot is what costs.
func TestLifeOfAMachine(t *testing.T) {
	data := newDisk(t, 4<<30)
	began := time.Now()
	g := boot(t, data)
	g.ready()
	t.Logf("from the start of QEMU: handshake %s, /_ping %s; kernel %s", g.took, time.Since(began), g.welcome.Kernel)
	s := call[agentapi.Status](g, agentapi.OpStatus, nil)
	if s.Disk.Fault != "" || !s.Disk.Formatted || s.Disk.UUID == "" || !s.Engine {
		t.Fatalf("first boot: %+v", s)
	}
	g.load("bb")

	t.Run("a container on a bridge, with cgroup v2", func(t *testing.T) {
		out := g.run(t, container.HostConfig{Resources: container.Resources{Memory: 64 << 20, PidsLimit: new(int64(50))}},
			"cat /sys/fs/cgroup/memory.max /sys/fs/cgroup/pids.max; cat /proc/self/oom_score_adj; ping -c1 -W20 $(ip route | sed -n 's/^default via \\([^ ]*\\).*/\\1/p') | grep -c '1 packets received'")
		if out != "67108864\n50\n0\n1\n" {
			t.Errorf("it printed %q", out)
		}
	})
	t.Run("modules that containers want are there", func(t *testing.T) {
		out := g.run(t, container.HostConfig{Privileged: true},
			"until [ $(cat /proc/sys/kernel/modules_disabled) = 1 ]; do sleep 0.2; done; "+
				"ip link add x type dummy && ip link del x && echo dummy; "+
				"for k in macvlan ipvlan; do ip link add link eth0 x type $k && ip link del x && echo $k; done; grep -c -E '^(sctp|wireguard|tun) ' /proc/modules")
		if out != "dummy\nmacvlan\nipvlan\n3\n" {
			t.Errorf("it printed %q", out)
		}
	})
	g.run(t, container.HostConfig{Binds: []string{"keep:/k"}}, "echo precious > /k/f && sync")

	if err := g.machine.Kill(g.ctx()); err != nil { // the power goes
		t.Fatal(err)
	}
	g.stop()
	if f := look(t, data); f.Kind != disk.Ours || f.Clean {
		t.Errorf("after the power went the disk is %+v", f)
	}
	if err := os.Truncate(data, 6<<30); err != nil { // it also grows
		t.Fatal(err)
	}
	g = boot(t, data)
	g.ready()
	d := call[agentapi.Disk](g, agentapi.OpDisk, nil)
	if d.Repaired == "" || d.Formatted || d.UUID != s.Disk.UUID {
		t.Errorf("second boot: %+v", d)
	}
	t.Logf("the check said: %s", d.Repaired)
	if out := g.run(t, container.HostConfig{Binds: []string{"keep:/k"}}, "cat /k/f"); out != "precious\n" {
		t.Errorf("after the power went the volume has %q", out)
	}
	if d = call[agentapi.Disk](g, agentapi.OpDiskGrow, nil); d.Capacity < 5<<30 {
		t.Errorf("of a disk of 6 GiB the file system has %d bytes", d.Capacity)
	}
	call[agentapi.Trimmed](g, agentapi.OpDiskTrim, nil)
	if m := call[agentapi.Memory](g, agentapi.OpReclaim, agentapi.Reclaim{}); m.Free == 0 || m.Free > m.Total {
		t.Errorf("memory %+v", m)
	}
	if err := g.link.Call(g.ctx(), "tomorrow", nil, nil); agentapi.CodeOf(err) != agentapi.CodeUnknown {
		t.Errorf("an op of tomorrow: %v", err)
	}
	g.powerOff(t)
	if f := look(t, data); f.Kind != disk.Ours || !f.Clean {
		t.Errorf("after an ordered end the disk is %+v", f)
	}
}

// TestAMachineWithoutADisk says so and stays reachable.
func TestAMachineWithoutADisk(t *testing.T) {
	g := boot(t)
	for end := time.Now().Add(bootBound); ; time.Sleep(200 * time.Millisecond) {
		if d := call[agentapi.Disk](g, agentapi.OpDisk, nil); strings.Contains(d.Fault, "no data disk") {
			break
		}
		if time.Now().After(end) {
			t.Fatal("the guest does not say that it has no disk")
		}
	}
	if err := g.link.Call(g.ctx(), agentapi.OpDiskTrim, nil, nil); agentapi.CodeOf(err) != agentapi.CodeUnavailable {
		t.Errorf("trim: %v", err)
	}
	g.powerOff(t)
}

// powerOff asks for an ordered end and waits for it.
func (g *guest) powerOff(t *testing.T) {
	t.Helper()
	call[struct{}](g, agentapi.OpPower, agentapi.Power{Action: agentapi.PowerOff})
	select {
	case <-g.machine.Done():
	case <-time.After(bootBound):
		t.Fatal("the machine does not end")
	}
	if e := g.machine.Exit(); e.Reason != vm.PoweredOff {
		t.Errorf("the machine ended: %s", e)
	}
	if !g.heard(agentapi.EventShutdown, "unmounting") {
		t.Error("the shutdown was not told of")
	}
}

func look(t *testing.T, file string) disk.Found {
	t.Helper()
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		t.Fatal(err)
	}
	found, err := disk.Look(f, info.Size())
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// run runs a shell in a container to its end and gives what it printed.
func (g *guest) run(t *testing.T, host container.HostConfig, script string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(g.ctx(), bootBound)
	defer cancel()
	c, err := g.api.ContainerCreate(ctx, client.ContainerCreateOptions{
		Config: &container.Config{Image: "bb", Cmd: []string{"sh", "-c", script}, Tty: true}, HostConfig: &host,
	})
	if err != nil {
		t.Fatalf("create: %v", err)
	}
	a, err := g.api.ContainerAttach(ctx, c.ID, client.ContainerAttachOptions{Stream: true, Stdout: true, Stderr: true})
	if err != nil {
		t.Fatalf("attach: %v", err)
	}
	defer a.Close()
	if _, err := g.api.ContainerStart(ctx, c.ID, client.ContainerStartOptions{}); err != nil {
		t.Fatalf("start: %v", err)
	}
	defer context.AfterFunc(ctx, a.Close)()
	var out strings.Builder
	_, _ = a.Reader.WriteTo(&out)
	if _, err := g.api.ContainerRemove(ctx, c.ID, client.ContainerRemoveOptions{Force: true}); err != nil {
		t.Errorf("remove: %v", err)
	}
	return strings.ReplaceAll(out.String(), "\r\n", "\n")
}
