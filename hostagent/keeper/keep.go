//go:build linux || darwin

package keeper

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/signal"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/berthhq/berth/hostagent/transport"
	"github.com/berthhq/berth/hostagent/vm"
	"github.com/berthhq/berth/internal/paths"
)

// powerDownTime is how long a guest has when the computer is shut down.
const powerDownTime = 20 * time.Second

// Keep is the whole keeper process: it starts the machine that it reads of, answers on the machine's socket, and returns
// when the machine has ended. files are what Driver handed down. To out goes one reply, whether the machine runs.
func Keep(driver vm.Driver, in io.Reader, out io.WriteCloser, files []*os.File) error {
	signal.Ignore(syscall.SIGHUP, syscall.SIGINT, syscall.SIGPIPE) // those are for the agent's terminal
	machine, l, err := begin(driver, in, files)
	for _, f := range files {
		f.Close()
	}
	answer := reply{}
	if err != nil {
		answer = refusal(err)
	}
	err = errors.Join(err, json.NewEncoder(out).Encode(answer), out.Close())
	if machine == nil {
		return err
	}
	terminate := make(chan os.Signal, 1)
	signal.Notify(terminate, syscall.SIGTERM)
	go func() {
		<-terminate
		ctx, cancel := context.WithTimeout(context.Background(), powerDownTime)
		defer cancel()
		_ = machine.PowerDown(ctx)
		select {
		case <-machine.Done():
		case <-ctx.Done():
			_ = machine.Close()
		}
	}()
	newServer(machine).serve(l)
	fmt.Fprintf(os.Stderr, "the virtual machine has ended: %s\n", machine.Exit())
	return nil
}

// begin takes the lock, starts the machine and opens the socket.
func begin(driver vm.Driver, in io.Reader, files []*os.File) (vm.Machine, net.Listener, error) {
	var s spec
	if err := json.NewDecoder(in).Decode(&s); err != nil {
		return nil, nil, fmt.Errorf("what to keep: %w", err)
	}
	if s.Version != protocolVersion {
		return nil, nil, fmt.Errorf("the host agent speaks version %d of the keeper's protocol, this program %d", s.Version, protocolVersion)
	}
	names := paths.Machine{Name: s.Config.Name, Dir: s.Config.Dir}
	lock, err := os.OpenFile(names.KeeperLock(), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, nil, err
	}
	if err := unix.Flock(int(lock.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil { // held until this process ends
		return nil, nil, fmt.Errorf("virtual machine %s: %w", s.Config.Name, vm.ErrRunning)
	}
	if len(files) < 2 {
		return nil, nil, fmt.Errorf("virtual machine %s: %d files were handed down", s.Config.Name, len(files))
	}
	opened := vm.Files{Kernel: files[0], Disks: files[2:]}
	if s.Initrd {
		opened.Initrd = files[1]
	}
	machine, err := driver.Start(context.Background(), s.Config, opened)
	if err != nil {
		return nil, nil, err
	}
	l, err := transport.ListenPrivate(names.KeeperSocket())
	if err != nil {
		machine.Close()
		return nil, nil, err
	}
	return machine, l, nil
}
