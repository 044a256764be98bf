// Command berth-sharerelay is the guest's end of shared files: package sharerelay in a process of its own, locked in
// memory, so that neither a slow request nor a guest that is short of memory stops it.
package main

import (
	"flag"
	"fmt"
	"net"
	"os"
	"os/signal"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/berthhq/berth/guestagent/sharerelay"
)

func main() { os.Exit(run(os.Args[1:])) }

func run(args []string) int {
	flags := flag.NewFlagSet("berth-sharerelay", flag.ContinueOnError)
	root := flags.String("root", "/run/berth/shares", "directory that shares are mounted in")
	listen := flags.String("listen", "", "where the host's streams come in: vsock:PORT, unix:PATH or fd:NUMBER")
	if err := flags.Parse(args); err != nil {
		return 2
	}
	l, err := listener(*listen)
	if err != nil {
		fmt.Fprintln(os.Stderr, "berth-sharerelay:", err)
		return 1
	}
	if err := unix.Mlockall(unix.MCL_CURRENT | unix.MCL_FUTURE | unix.MCL_ONFAULT); err != nil {
		fmt.Fprintln(os.Stderr, "berth-sharerelay: locking memory:", err)
	}
	r := sharerelay.New(*root)
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, unix.SIGTERM, unix.SIGINT)
	go func() { <-stop; _ = l.Close() }()
	_ = r.ServeAll(l, func(err error) { fmt.Fprintln(os.Stderr, "berth-sharerelay:", err) })
	r.Close()
	return 0
}

func listener(where string) (net.Listener, error) {
	kind, at, _ := strings.Cut(where, ":")
	switch kind {
	case "unix":
		return net.Listen("unix", at)
	case "fd":
		n, err := strconv.ParseUint(at, 10, 16)
		if err != nil {
			return nil, fmt.Errorf("listening on %s: %w", where, err)
		}
		return net.FileListener(os.NewFile(uintptr(n), where))
	case "vsock":
		port, err := strconv.ParseUint(at, 10, 32)
		if err != nil {
			return nil, fmt.Errorf("listening on %s: %w", where, err)
		}
		return sharerelay.ListenVsock(uint32(port))
	}
	return nil, fmt.Errorf("-listen %q: neither vsock:PORT nor unix:PATH nor fd:NUMBER", where)
}
