// Reaper does for Testcontainers what its own reaper does, which is not to be had from a module proxy: clients connect to
// port 8080, each sends lines of filters ("label=a%3Db&label=c"), each line is answered with ACK, and when the last
// connection has been gone for a while, everything that any of the lines describes is removed.
package main

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"net/url"
	"os"
	"sync"
	"time"

	"github.com/moby/moby/client"
)

func main() {
	if err := run(context.Background()); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(ctx context.Context) error {
	api, err := client.New(client.FromEnv)
	if err != nil {
		return err
	}
	l, err := net.Listen("tcp", ":8080")
	if err != nil {
		return err
	}
	r := &reaper{filters: map[string]client.Filters{}, change: make(chan int)}
	go r.accept(l)
	fmt.Println("Started") // what the library waits for
	r.wait(patience("RYUK_CONNECTION_TIMEOUT", time.Minute), patience("RYUK_RECONNECTION_TIMEOUT", 10*time.Second))
	l.Close()
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, f := range r.filters {
		if err := remove(ctx, api, f); err != nil {
			return err
		}
	}
	return nil
}

func patience(name string, otherwise time.Duration) time.Duration {
	if d, err := time.ParseDuration(os.Getenv(name)); err == nil {
		return d
	}
	return otherwise
}

type reaper struct {
	change chan int // a connection more, or one less

	mu      sync.Mutex
	filters map[string]client.Filters
}

func (r *reaper) accept(l net.Listener) {
	for {
		c, err := l.Accept()
		if err != nil {
			return
		}
		go func() {
			defer c.Close()
			r.change <- 1
			r.serve(c)
			r.change <- -1
		}()
	}
}

func (r *reaper) serve(c net.Conn) {
	lines := bufio.NewScanner(c)
	for lines.Scan() {
		query, err := url.ParseQuery(lines.Text())
		if err != nil {
			return
		}
		f := client.Filters{}
		for key, values := range query {
			f.Add(key, values...)
		}
		r.mu.Lock()
		r.filters[lines.Text()] = f
		r.mu.Unlock()
		if _, err := fmt.Fprintln(c, "ACK"); err != nil {
			return
		}
	}
}

// wait returns when no connection came at first, or none is left and none came back.
func (r *reaper) wait(first, again time.Duration) {
	open, timer := 0, time.NewTimer(first)
	for {
		select {
		case n := <-r.change:
			timer.Stop()
			if open += n; open == 0 {
				timer.Reset(again)
			}
		case <-timer.C:
			return
		}
	}
}

func remove(ctx context.Context, api *client.Client, f client.Filters) error {
	containers, err := api.ContainerList(ctx, client.ContainerListOptions{All: true, Filters: f})
	if err != nil {
		return err
	}
	for _, c := range containers.Items {
		if _, err := api.ContainerRemove(ctx, c.ID, client.ContainerRemoveOptions{Force: true, RemoveVolumes: true}); err != nil {
			return err
		}
	}
	networks, err := api.NetworkList(ctx, client.NetworkListOptions{Filters: f})
	if err != nil {
		return err
	}
	for _, n := range networks.Items {
		if _, err := api.NetworkRemove(ctx, n.ID, client.NetworkRemoveOptions{}); err != nil {
			return err
		}
	}
	return nil
}
