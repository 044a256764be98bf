package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// How much there is of what clients ask for.
const (
	listed   = 200 // containers
	imported = 300 // images
	asked    = 100 // clients that inspect at the same time
	watchers = 50  // clients that follow events
	services = 10  // of the Compose project
	cpBytes  = 1_000_000_000
	cpFiles  = 20_000
)

// asClient lets a peer be driven by the docker command line of a tree, as docker's own engine is.
func asClient(p *peer, tree, dir, socket string) error {
	a, err := newAgent(tree, []string{dir})
	if err != nil {
		return err
	}
	p.agent.close()
	p.agent, p.host = a, "unix://"+socket
	p.cli = []string{"docker", "-H", p.host}
	return nil
}

// shell runs a script where the peer's client is, with DOCKER_HOST for it.
func (p *peer) shell(script string) (report, error) {
	return p.agent.do(order{Argv: []string{"sh", "-ec", script}, Env: []string{"DOCKER_HOST=" + p.host, "DOCKER_CONFIG=/.docker"}})
}

// script is a measure of one shell script; DIR stands for the directory that both sides see, SMALL and BIG for the images.
func script(s string) func(*bench, *peer) (float64, error) {
	return func(b *bench, p *peer) (float64, error) { return timed(p.shell(b.fill(s, p))) }
}

// after is script, with another one before each repetition that is not measured.
func after(before, s string) func(*bench, *peer) (float64, error) {
	return func(b *bench, p *peer) (float64, error) {
		if _, err := p.shell(b.fill(before, p)); err != nil {
			return 0, err
		}
		return timed(p.shell(b.fill(s, p)))
	}
}

// with is what has to be there, and how it goes again.
func with(before, undo string) func(*bench, *peer) (func(), error) {
	return func(b *bench, p *peer) (func(), error) {
		_, err := p.shell(b.fill(before, p))
		return func() { p.shell(b.fill(undo, p)) }, err
	}
}

func (b *bench) fill(s string, p *peer) string {
	return strings.NewReplacer("DIR", b.dir, "SMALL", b.small, "BIG", b.big, "PEER", p.name).Replace(s)
}

func has(*peer) bool { return true }

// clientMeasures are what people and programs do through docker's own clients, as they see it.
func clientMeasures() []measure {
	list := fmt.Sprintf("for i in $(seq 0 %d); do docker create --name bench-l$i SMALL true >/dev/null; done", listed-1)
	unlist := fmt.Sprintf("docker rm -f $(seq -f bench-l%%g 0 %d) >/dev/null", listed-1)
	images := fmt.Sprintf("for i in $(seq %d); do echo $i >DIR/one; tar -C DIR -c one | docker import - bench-i:$i >/dev/null; done", imported)
	noImages := fmt.Sprintf("docker rmi $(seq -f bench-i:%%g %d) >/dev/null", imported)
	many := fmt.Sprintf("for i in $(seq 0 %d); do docker run -d --name bench-r$i SMALL sleep 1000 >/dev/null; done", listed-1)
	noneOfMany := fmt.Sprintf("docker rm -f $(seq -f bench-r%%g 0 %d) >/dev/null", listed-1)
	follow := fmt.Sprintf("for i in $(seq %d); do docker events >/dev/null 2>&1 & echo $! >>DIR/PEER.pids; done; sleep 2", watchers)
	const box, noBox = "docker run -d --name bench-c SMALL sleep 1000 >/dev/null", "docker rm -f bench-c >/dev/null"
	const up, down = "docker compose -f DIR/compose.yaml up -d --quiet-pull 2>/dev/null", "docker compose -f DIR/compose.yaml down -t 0 2>/dev/null"
	const build = "docker buildx build -q -t bench-b DIR/context >/dev/null"
	return []measure{
		{name: "run --rm true", unit: "ms", can: has, once: script("docker run --rm SMALL true"), goal: "<= 0.3 x docker", reached: against(0.3)},
		{name: "exec true", unit: "ms", can: has, prepare: with(box, noBox), once: script("docker exec bench-c true"), goal: notSlower, reached: against(1)},
		{name: "ps of 200", unit: "ms", can: has, prepare: with(list, unlist), once: script("docker ps -a >/dev/null"), goal: notSlower, reached: against(1)},
		{name: "inspect, 100 at once", unit: "ms", n: 5, can: has, prepare: with(list, unlist), once: inspectAtOnce, goal: notSlower, reached: against(1)},
		{name: "images of 300", unit: "ms", can: has, prepare: with(images, noImages), once: script("docker images >/dev/null"), goal: notSlower, reached: against(1)},
		{name: "logs of a million lines", unit: "ms", n: 3, can: has, prepare: with("docker run --name bench-g SMALL busybox seq 1000000 >/dev/null", "docker rm bench-g >/dev/null"),
			once: script("docker logs bench-g >/dev/null"), goal: notSlower, reached: against(1)},
		{name: "build, cold", unit: "ms", n: 5, can: has, once: script(build + " --no-cache"), goal: notSlower, reached: against(1)},
		{name: "build, warm", unit: "ms", can: has, prepare: with(build, "docker rmi bench-b"), once: script(build), goal: "<= 0.5 x docker", reached: against(0.5)},
		{name: "compose up, ten services", unit: "ms", n: 5, can: has, prepare: with("true", down), once: after(down, up), goal: "<= 0.3 x docker", reached: against(0.3)},
		{name: "compose down, ten services", unit: "ms", n: 5, can: has, once: after(up, down), goal: notSlower, reached: against(1)},
		{name: "run beside 50 listeners", unit: "ms", can: has, prepare: with(follow, "xargs kill <DIR/PEER.pids"), once: script("docker run --rm SMALL true"), goal: notSlower, reached: against(1)},
		{name: "cp of 1 GB", unit: "ms", n: 3, can: has, prepare: with(box, noBox), once: script("docker cp DIR/gigabyte bench-c:/x"), goal: notSlower, reached: against(1)},
		{name: "cp of 20,000 files", unit: "ms", n: 3, can: has, prepare: with(box, noBox), once: after("docker exec bench-c busybox rm -rf /many", "docker cp DIR/many bench-c:/many"), goal: notSlower, reached: against(1)},
		{name: "save", unit: "ms", n: 3, can: has, prepare: with("docker pull -q BIG", "docker rmi -f BIG"), once: script("docker save BIG >/dev/null"), goal: notSlower, reached: against(1)},
		{name: "load", unit: "ms", n: 3, can: has, prepare: with("docker pull -q BIG; docker save -o DIR/PEER.tar BIG", "docker rmi -f BIG; rm DIR/PEER.tar"),
			once: after("docker rmi -f BIG >/dev/null", "docker load -q -i DIR/PEER.tar"), goal: notSlower, reached: against(1)},
		{name: "push", unit: "ms", n: 3, can: has, prepare: with("docker pull -q BIG", "docker rmi -f BIG"),
			once: after("docker tag BIG 127.0.0.1:5000/PEER/$$:new; echo 127.0.0.1:5000/PEER/$$:new >DIR/PEER.ref", "docker push -q $(cat DIR/PEER.ref)"), goal: notSlower, reached: against(1)},
		{name: "memory, 200 running", unit: "MB PSS", n: 1, can: has, prepare: with(many, noneOfMany), once: idle, goal: "<= 0.5 x docker", reached: against(0.5)},
	}
}

const notSlower = "<= 1 x docker"

func inspectAtOnce(_ *bench, p *peer) (float64, error) {
	return timed(p.agent.do(order{Argv: append(append([]string{}, p.cli...), "inspect", "bench-l%d"), Burst: asked}))
}

// furnishClients lays out what the measures build, run and copy.
func (b *bench) furnishClients() error {
	files := map[string]string{
		"context/Dockerfile": "FROM " + b.small + "\nRUN echo one >/one\nCOPY . /src\nRUN echo two >/two\n",
		"context/file":       strings.Repeat("a line\n", 1000),
		"compose.yaml":       project(b.small),
	}
	for i := range cpFiles {
		files[fmt.Sprintf("many/d%d/f%d", i%200, i)] = fmt.Sprint(i)
	}
	for name, content := range files {
		path := filepath.Join(b.dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
			return err
		}
	}
	f, err := os.Create(filepath.Join(b.dir, "gigabyte"))
	if err != nil {
		return err
	}
	defer f.Close()
	return f.Truncate(cpBytes)
}

// project is a Compose project of services on two networks.
func project(image string) string {
	var s strings.Builder
	s.WriteString("name: bench\nservices:\n")
	for i := range services {
		fmt.Fprintf(&s, "  s%d:\n    image: %s\n    command: sleep 1000\n    networks: [front, back]\n", i, image)
	}
	s.WriteString("networks:\n  front:\n  back:\n")
	return s.String()
}
