package main

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"time"
)

const goarch = runtime.GOARCH

// peer is something that runs containers, with a helper that stands where its programs are.
type peer struct {
	name  string
	agent *agent
	cli   []string // its command line, as docker's
	// network: what --network is given for bridge, none and host; "" where it cannot
	networks map[string]string
	bare     func(command string) []string // a runtime without an engine: the command to run a bundle
	server   []string                      // names of the programs that make up the engine, for its memory
	host     string                        // DOCKER_HOST of its engine, for docker's own clients
	stop     func()
}

func (p *peer) docker() bool { return strings.HasPrefix(p.name, "docker") }

// do runs one command of the peer's command line.
func (p *peer) do(args ...string) (report, error) {
	return p.agent.do(order{Argv: append(append([]string{}, p.cli...), args...)})
}

// remove ends and removes a container at once; podman would give it ten seconds first.
func (p *peer) remove(name string) error {
	args := []string{"rm", "-f"}
	if p.name == "podman" {
		args = append(args, "-t", "0")
	}
	_, err := p.do(append(args, name)...)
	return err
}

// versionLine is what the peer says of itself.
func (p *peer) versionLine() string {
	argv := append(append([]string{}, p.cli...), "--version")
	switch {
	case p.bare != nil && p.name == "kernel":
		return "namespaces, an overlay, execve"
	case p.bare != nil:
		argv = []string{p.name, "--version"}
	}
	r, err := p.agent.do(order{Argv: argv})
	if err != nil {
		return err.Error()
	}
	line, _, _ := strings.Cut(r.Output, "\n")
	return line
}

// berthSocket is where berth's engine answers.
func berthSocket(dir string) string { return filepath.Join(dir, "berth", "run", "engine.sock") }

func plainNetworks() map[string]string {
	return map[string]string{"bridge": "bridge", "none": "none", "host": "host"}
}

// startBerth starts the engine that was built, with further arguments, as a peer of that name.
func startBerth(name, bin, dir string, args ...string) (*peer, error) {
	root := filepath.Join(dir, name)
	if err := os.MkdirAll(root, 0o755); err != nil {
		return nil, err
	}
	env := []string{"BERTH_ROOT=" + root, "BERTH_HOST=", "DOCKER_HOST=", "DOCKER_CONTEXT="}
	cmd := exec.Command(filepath.Join(bin, "berth-engine"), args...)
	cmd.Env = append(os.Environ(), env...)
	log, err := os.Create(filepath.Join(dir, name+".log"))
	if err != nil {
		return nil, err
	}
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	p := &peer{name: name, cli: []string{filepath.Join(bin, "berth")}, networks: plainNetworks(), server: []string{"berth-engine", "berth-supervisor", "berth-netd", "berth-stage"}}
	p.stop = func() { cmd.Process.Kill(); cmd.Wait() }
	if err := answers(filepath.Join(root, "run", "engine.sock"), log.Name()); err != nil {
		return nil, err
	}
	p.agent, err = newAgent("", nil, env...)
	return p, err
}

// startDocker starts the dockerd of a tree.
func startDocker(name, tree, dir string) (*peer, error) {
	if _, err := os.Stat(filepath.Join(tree, "usr/sbin/dockerd")); err != nil {
		return nil, fmt.Errorf("%s has no dockerd: scripts/peers.sh makes such trees", tree)
	}
	state := filepath.Join(dir, name)
	if err := os.MkdirAll(state, 0o755); err != nil {
		return nil, err
	}
	sock := filepath.Join(state, "docker.sock")
	server, err := newAgent(tree, []string{dir})
	if err != nil {
		return nil, err
	}
	script := fmt.Sprintf("exec dockerd --data-root %[1]s/data --exec-root %[1]s/exec --pidfile %[1]s/pid --bridge none -H unix://%[2]s >%[1]s/log 2>&1", state, sock)
	// Two daemons cannot share docker0, its rules or its addresses: each has a bridge of its own.
	bridge := "d" + name[max(0, len(name)-8):]
	script = strings.Replace(script, "--bridge none", fmt.Sprintf("--bip 10.%d.0.1/16", 200+len(name)), 1)
	if name != "docker" {
		script = fmt.Sprintf("ip link add %[1]s type bridge && ip addr add 10.%[2]d.0.1/16 dev %[1]s && ip link set %[1]s up && ", bridge, 200+len(name)) +
			strings.Replace(script, fmt.Sprintf("--bip 10.%d.0.1/16", 200+len(name)), "--bridge "+bridge, 1)
	}
	if _, err := server.do(order{Argv: []string{"sh", "-c", "(" + script + ") </dev/null &"}}); err != nil {
		return nil, err
	}
	if err := answers(sock, filepath.Join(state, "log")); err != nil {
		return nil, err
	}
	p := &peer{name: name, host: "unix://" + sock, agent: server, cli: []string{"docker", "-H", "unix://" + sock}, networks: plainNetworks(), server: []string{"dockerd", "containerd", "containerd-shim-runc-v2", "docker-proxy"}}
	p.stop = func() {}
	return p, nil
}

// startPodman needs no engine.
func startPodman(tree, dir string) (*peer, error) {
	if _, err := os.Stat(filepath.Join(tree, "usr/bin/podman")); err != nil {
		return nil, fmt.Errorf("%s has no podman", tree)
	}
	a, err := newAgent(tree, []string{dir})
	if err != nil {
		return nil, err
	}
	state := filepath.Join(dir, "podman")
	cli := []string{"podman", "--root", state + "/root", "--runroot", state + "/run", "--cgroup-manager", "cgroupfs", "--storage-driver", "overlay", "--tmpdir", state + "/tmp"}
	return &peer{name: "podman", agent: a, cli: cli, networks: map[string]string{"bridge": "bridge", "none": "none", "host": "host"}, stop: func() {}}, nil
}

// startBare is a runtime alone, on a bundle.
func startBare(name, tree, dir, bundle string) (*peer, error) {
	a, err := newAgent(tree, []string{dir})
	if err != nil {
		return nil, err
	}
	root := filepath.Join(dir, name+"-state")
	p := &peer{name: name, agent: a, networks: map[string]string{"none": "none"}, stop: func() {}}
	p.bare = func(string) []string { return []string{name, "--root", root, "run", "-b", bundle, "bench"} }
	_, err = a.do(order{Argv: p.bare("true")})
	return p, err
}

// answers waits until something listens on a socket.
func answers(sock, log string) error {
	ctx, cancel := context.WithTimeout(context.Background(), 60*time.Second)
	defer cancel()
	for ctx.Err() == nil {
		if c, err := (&net.Dialer{}).DialContext(ctx, "unix", sock); err == nil {
			c.Close()
			return nil
		}
		time.Sleep(20 * time.Millisecond)
	}
	b, _ := os.ReadFile(log)
	return fmt.Errorf("%s does not answer: %s", sock, b[max(0, len(b)-2000):])
}
