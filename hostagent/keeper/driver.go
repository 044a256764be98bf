//go:build linux || darwin

package keeper

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"syscall"

	"github.com/berthhq/berth/hostagent/vm"
	"github.com/berthhq/berth/internal/paths"
)

// Driver starts each machine of another driver in a keeper. It is a vm.Attacher.
type Driver struct {
	vm.Driver
	// Command is the program that calls Keep with the same driver, and its arguments.
	Command []string
}

var _ vm.Attacher = (*Driver)(nil)

// Start starts a keeper and waits until its machine runs.
func (d *Driver) Start(ctx context.Context, c vm.Config, files vm.Files) (vm.Machine, error) {
	if err := c.Check(files); err != nil {
		return nil, err
	}
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	if err := d.spawn(ctx, c, files); err != nil {
		return nil, err
	}
	return d.Attach(context.WithoutCancel(ctx), c)
}

// spawn starts the process in a session of its own: nothing that ends the agent ends it.
func (d *Driver) spawn(ctx context.Context, c vm.Config, files vm.Files) error {
	fail := func(err error) error { return fmt.Errorf("starting virtual machine %s: %w", c.Name, err) }
	names := paths.Machine{Name: c.Name, Dir: c.Dir}
	log, err := os.OpenFile(names.KeeperLog(), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return fail(err)
	}
	defer log.Close()
	null, err := os.Open(os.DevNull)
	if err != nil {
		return fail(err)
	}
	defer null.Close()
	initrd := files.Initrd
	if initrd == nil {
		initrd = null
	}
	cmd := exec.Command(d.Command[0], d.Command[1:]...)
	cmd.ExtraFiles = append([]*os.File{files.Kernel, initrd}, files.Disks...)
	cmd.Stderr, cmd.Dir = log, "/"
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	in, err := cmd.StdinPipe()
	if err != nil {
		return fail(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return fail(err)
	}
	if err := cmd.Start(); err != nil {
		return fail(err)
	}
	err = d.handshake(ctx, cmd, in, out, spec{Version: protocolVersion, Config: c, Initrd: files.Initrd != nil})
	go func() { _ = cmd.Wait() }() // it ends with its machine
	if err != nil && errors.Is(err, io.EOF) {
		err = fmt.Errorf("its keeper ended at once, see %s", names.KeeperLog())
	}
	if err != nil {
		return fail(err)
	}
	return nil
}

// handshake tells the keeper what to start and waits for its word.
func (d *Driver) handshake(ctx context.Context, cmd *exec.Cmd, in io.WriteCloser, out io.Reader, s spec) error {
	stop := context.AfterFunc(ctx, func() { _ = cmd.Process.Kill() }) // and its machine with it
	defer stop()
	if err := errors.Join(json.NewEncoder(in).Encode(s), in.Close()); err != nil && !errors.Is(err, syscall.EPIPE) {
		_ = cmd.Process.Kill()
		return err
	}
	var r reply
	err := json.NewDecoder(out).Decode(&r)
	if !stop() && ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if err != nil {
		_ = cmd.Process.Kill()
		return err
	}
	return r.err()
}

// Attach finds the keeper of a machine's directory.
func (d *Driver) Attach(ctx context.Context, c vm.Config) (vm.Machine, error) {
	m := &machine{Lifecycle: vm.NewLifecycle(), names: paths.Machine{Name: c.Name, Dir: c.Dir}}
	waiting, err := m.open(request{Verb: "wait"})
	if err != nil {
		return nil, err
	}
	if err := m.Move(vm.Running); err != nil {
		return nil, err
	}
	m.waiting = waiting
	go m.wait()
	if _, err := m.Status(ctx); err != nil { // it answers, and in our words
		m.Close()
		return nil, err
	}
	return m, nil
}
