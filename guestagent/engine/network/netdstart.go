//go:build linux

package network

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"
)

// startNetd starts berth-netd, detached: it outlives the engine. It inherits nothing but the log.
func (m *Manager) startNetd() error {
	path := m.cfg.NetdPath
	if path == "" {
		self, err := os.Executable()
		if err != nil {
			return fmt.Errorf("finding berth-netd: %w", err)
		}
		path = filepath.Join(filepath.Dir(self), "berth-netd")
	}
	if err := os.MkdirAll(m.layout.Run, 0o711); err != nil {
		return err
	}
	log, err := os.OpenFile(m.layout.EngineLog(), os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	defer log.Close()
	cmd := exec.Command(path, "-run", m.layout.Run)
	cmd.Dir, cmd.Stdout, cmd.Stderr = "/", log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("starting berth-netd: %w", err)
	}
	go func() { _ = cmd.Wait() }() // ends with the process, which may be after us
	return nil
}

// watchNetd starts berth-netd again when it dies while somebody needs it.
func (m *Manager) watchNetd(ctx context.Context) {
	for ctx.Err() == nil {
		if m.netd.Running() {
			if m.netd.WaitGone(ctx) != nil {
				return
			}
		}
		if m.needsNetd() {
			_ = m.serveAll(ctx) // the next attach that needs it reports what is wrong
		}
		select {
		case <-time.After(time.Second):
		case <-ctx.Done():
		}
	}
}

func (m *Manager) needsNetd() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, rec := range m.sandboxes {
		if len(rec.Published) > 0 || m.netdSandbox(rec).NetNS != "" {
			return true
		}
	}
	return false
}
