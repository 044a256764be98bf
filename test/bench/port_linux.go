package main

import (
	"fmt"
	"io"
	"net"
	"strings"
	"time"
)

// The load on a published port: connections one after the other for a while, and one connection that sends all it can.
const (
	loadTime = 2 * time.Second
	chunk    = 1 << 20
)

// serverPort is what the server in the container listens on.
const serverPort = "80"

// server runs our own server in a container with a published port: a byte and the end for one that says "c", zeros
// without end for one that says "t".
func server(b *bench, p *peer) (func(), error) {
	port, err := freePort()
	if err != nil {
		return nil, err
	}
	undo := func() { p.remove("bench-p") }
	args := []string{"run", "-d", "--name", "bench-p", "-p", "127.0.0.1:" + port + ":" + serverPort, "-v", b.self + ":/bench:ro", b.small, "/bench", "serve"}
	if _, err := p.do(args...); err != nil {
		return undo, err
	}
	r, err := p.do("inspect", "--format", "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}", "bench-p")
	if err != nil {
		return undo, err
	}
	b.published[p.name], b.direct[p.name] = "127.0.0.1:"+port, strings.TrimSpace(r.Output)+":"+serverPort
	for end := time.Now().Add(10 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		c, err := net.Dial("tcp", b.published[p.name])
		if err == nil {
			c.Close()
			return undo, nil
		}
		if time.Now().After(end) {
			return undo, fmt.Errorf("the published port does not answer: %w", err)
		}
	}
}

func connections(b *bench, p *peer) (float64, error) { return both(b, p, "port, connections", connect) }

func throughput(b *bench, p *peer) (float64, error) { return both(b, p, "port, throughput", receive) }

// both measures the published port and, for berth, the container's own address: the kernel without any translation.
func both(b *bench, p *peer, name string, do func(addr string) (float64, error)) (float64, error) {
	if p.name == "berth" {
		v, err := do(b.direct[p.name])
		if err != nil {
			return 0, err
		}
		b.add(name, "berth direct", v)
	}
	return do(b.published[p.name])
}

func connect(addr string) (float64, error) {
	n := 0
	began := time.Now()
	for time.Since(began) < loadTime {
		c, err := net.Dial("tcp", addr)
		if err != nil {
			return 0, err
		}
		if _, err = io.WriteString(c, "c"); err == nil {
			_, err = io.ReadAll(c)
		}
		if err != nil {
			return 0, err
		}
		c.(*net.TCPConn).SetLinger(0) // thousands of these: no TIME_WAIT
		c.Close()
		n++
	}
	return float64(n) / time.Since(began).Seconds(), nil
}

func receive(addr string) (float64, error) {
	c, err := net.Dial("tcp", addr)
	if err != nil {
		return 0, err
	}
	defer c.Close()
	if _, err := io.WriteString(c, "t"); err != nil {
		return 0, err
	}
	buf, total := make([]byte, chunk), 0
	began := time.Now()
	for time.Since(began) < loadTime {
		n, err := c.Read(buf)
		if err != nil {
			return 0, err
		}
		total += n
	}
	return float64(total) / 1e6 / time.Since(began).Seconds(), nil
}

// serveMain is the server in the container.
func serveMain() int {
	l, err := net.Listen("tcp", ":"+serverPort)
	if err != nil {
		fmt.Println(err)
		return 1
	}
	for {
		c, err := l.Accept()
		if err != nil {
			return 1
		}
		go func() {
			defer c.Close()
			var what [1]byte
			if _, err := io.ReadFull(c, what[:]); err != nil {
				return
			}
			if what[0] == 'c' {
				c.Write(what[:])
				return
			}
			for zeros := make([]byte, chunk); ; {
				if _, err := c.Write(zeros); err != nil {
					return
				}
			}
		}()
	}
}
