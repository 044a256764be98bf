package guestagent

import (
	"context"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/berthhq/berth/guestagent/disk"
	"github.com/berthhq/berth/internal/agentapi"
	"golang.org/x/sys/unix"
)

// diskWait is how long a disk may take to appear: its driver probes in the background.
const diskWait = 5 * time.Second

// attachDisk finds, prepares and mounts the data disk. What goes wrong stands in the state that the host is told.
func (a *agent) attachDisk(ctx context.Context) {
	d, device, err := a.mountDisk(ctx)
	if err != nil {
		complain(err)
		d.Fault = err.Error()
	}
	a.mu.Lock()
	a.data, a.device = d, device
	a.mu.Unlock()
	a.tell(agentapi.Event{Kind: agentapi.EventDisk, Disk: &d})
}

func (a *agent) mountDisk(ctx context.Context) (d agentapi.Disk, device string, err error) {
	c, action, err := findDisk(ctx)
	if err != nil {
		return d, "", err
	}
	d.Size = uint64(c.Size)
	began := time.Now()
	done, err := disk.Prepare(ctx, a.run, c, action)
	if err != nil {
		return d, "", err
	}
	if done != "" {
		d.Repaired = fmt.Sprintf("%s (%s)", done, time.Since(began).Round(time.Millisecond))
	}
	if d.Formatted = action == disk.Format; d.Formatted {
		if c, _, err = findDisk(ctx); err != nil {
			return d, "", err
		}
	}
	d.UUID = c.UUID
	return d, c.Path, disk.MountAt(c.Path, a.layout.Root)
}

// findDisk waits for a disk that can be the data disk.
func findDisk(ctx context.Context) (disk.Candidate, disk.Action, error) {
	for end := time.Now().Add(diskWait); ; {
		disks, err := disk.List()
		if err != nil {
			return disk.Candidate{}, 0, err
		}
		c, action, err := disk.Decide(disks)
		if err == nil || time.Now().After(end) || len(disks) > 1 {
			return c, action, err
		}
		select {
		case <-ctx.Done():
			return c, 0, ctx.Err()
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// disk is the data disk as it is now.
func (a *agent) disk() agentapi.Disk {
	a.mu.Lock()
	d := a.data
	mounted := a.device != "" && d.Fault == ""
	a.mu.Unlock()
	if mounted {
		d.Capacity, d.Free, _ = disk.Space(a.layout.Root)
	}
	return d
}

// grow makes the file system as large as its device.
func (a *agent) grow() (agentapi.Disk, error) {
	a.growing.Lock()
	defer a.growing.Unlock()
	a.mu.Lock()
	device, fault := a.device, a.data.Fault
	a.mu.Unlock()
	if device == "" || fault != "" {
		return agentapi.Disk{}, noDisk()
	}
	grown, err := disk.Grow(device, a.layout.Root)
	if err != nil {
		return agentapi.Disk{}, err
	}
	if size, err := disk.Size(device); err == nil {
		a.mu.Lock()
		a.data.Size = uint64(size)
		a.mu.Unlock()
	}
	d := a.disk()
	if grown {
		a.tell(agentapi.Event{Kind: agentapi.EventDisk, Disk: &d})
	}
	return d, nil
}

// run is a disk.Exec.
func (a *agent) run(ctx context.Context, argv ...string) (string, int, error) {
	r, w, err := os.Pipe()
	if err != nil {
		return "", 0, err
	}
	defer r.Close()
	pid, end, err := a.reaper.start(program{argv: argv, env: []string{searchPath}, stdout: w})
	_ = w.Close()
	if err != nil {
		return "", 0, err
	}
	defer context.AfterFunc(ctx, func() { _ = unix.Kill(pid, unix.SIGKILL) })()
	out, err := io.ReadAll(io.LimitReader(r, 64<<10))
	if err == nil {
		_, err = io.Copy(io.Discard, r)
	}
	ws := <-end
	switch {
	case ctx.Err() != nil:
		return string(out), 0, ctx.Err()
	case ws.Signaled():
		return string(out), 0, fmt.Errorf("%s: %s", argv[0], describe(ws))
	}
	return string(out), ws.ExitStatus(), err
}
