package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

func main() {
	if len(os.Args) > 1 {
		switch args := os.Args[2:]; os.Args[1] {
		case "inside":
			os.Exit(inside(args))
		case "agent":
			os.Exit(agentIn(args[0], args[1:]))
		case "floor":
			os.Exit(floorMain(args[0], args[1]))
		case "floor-init":
			os.Exit(floorInit(args[0], args[1]))
		case "serve":
			os.Exit(serveMain())
		}
	}
	if os.Geteuid() != 0 {
		fmt.Fprintln(os.Stderr, "bench: containers need root")
		os.Exit(1)
	}
	os.Exit(again())
}

func agentIn(tree string, shared []string) int {
	runtime.LockOSThread() // namespaces are a thread's
	if tree != "" {
		if err := enter(tree, shared); err != nil {
			fmt.Fprintln(os.Stderr, "bench: entering", tree+":", err)
			return 1
		}
		// Once more, so that every thread is where this one is.
		err := unix.Exec("/proc/self/exe", []string{os.Args[0], "agent", ""}, os.Environ())
		fmt.Fprintln(os.Stderr, "bench:", err)
		return 1
	}
	return agentMain()
}

// bench is one run.
type bench struct {
	dir, self  string
	small, big string
	peers      []*peer
	values     map[string]map[string][]float64 // by measure and peer
	published  map[string]string
	direct     map[string]string
	failed     []string
	clients    bool // what docker's clients see, instead of each peer's own command line
}

func (b *bench) add(measure, peer string, v float64) {
	if b.values[measure] == nil {
		b.values[measure] = map[string][]float64{}
	}
	b.values[measure][peer] = append(b.values[measure][peer], v)
}

func (b *bench) fail(what string, err error) {
	line := strings.Join(strings.Fields(fmt.Sprintf("%s: %v", what, err)), " ")
	line = line[:min(len(line), 400)]
	b.failed = append(b.failed, line)
	fmt.Fprintln(os.Stderr, "bench:", line)
}

func inside(args []string) int {
	f := flag.NewFlagSet("bench", flag.ContinueOnError)
	bin := f.String("bin", "bin", "directory of berth's programs")
	trees := f.String("peers", ".cache/peers", "directory of the trees that scripts/peers.sh makes")
	run := f.String("run", "", "measure only what matches this regular expression")
	n := f.Int("n", 20, "repetitions of each measure")
	only := f.String("only", "", "peers to measure, separated by commas (berth docker docker-28 podman crun runc kernel; berth-erofs, which is left out unless named)")
	clients := f.Bool("clients", false, "measure what docker's own clients see, on berth's socket and on dockerd's")
	out := f.String("json", "", "write the figures to this file too")
	dir := f.String("dir", "/var/tmp", "where state goes; not on an overlay or a tmpfs")
	if f.Parse(args) != nil {
		return 2
	}
	match, err := regexp.Compile(*run)
	if err == nil {
		err = furnish()
	}
	b := &bench{values: map[string]map[string][]float64{}, published: map[string]string{}, direct: map[string]string{}, clients: *clients}
	if err == nil {
		b.dir, err = os.MkdirTemp(*dir, "berth-bench")
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		return 1
	}
	defer os.RemoveAll(b.dir)
	defer unix.Sync()
	if err := b.start(*bin, *trees, strings.FieldsFunc(*only, func(r rune) bool { return r == ',' })); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		return 1
	}
	fmt.Printf("%d cores, load %s, %d repetitions\n", runtime.NumCPU(), load(), *n)
	all := measures()
	if b.clients {
		all = clientMeasures()
	}
	for _, m := range all {
		if match.MatchString(m.name) {
			b.take(m, *n)
			b.print(m)
		}
	}
	b.finish()
	if *out != "" {
		data, err := json.MarshalIndent(b.values, "", "  ")
		if err == nil {
			err = os.WriteFile(*out, data, 0o644)
		}
		if err != nil {
			fmt.Fprintln(os.Stderr, "bench:", err)
			return 1
		}
	}
	return 0
}

// berthErofs is berth with another storage driver, counted apart.
const berthErofs = "berth-erofs"

// start makes images and peers. A peer that cannot be had is named and left out; berth must be there.
func (b *bench) start(bin, trees string, only []string) (err error) {
	if bin, err = filepath.Abs(bin); err != nil {
		return err
	}
	if trees, err = filepath.Abs(trees); err != nil {
		return err
	}
	if b.self, err = copySelf(b.dir); err != nil {
		return err
	}
	if b.small, b.big, err = serveImages("/bin/busybox"); err != nil {
		return err
	}
	bundle, rootfs, err := makeBundle(b.dir)
	if err != nil {
		return err
	}
	stable, sid := filepath.Join(trees, "stable"), filepath.Join(trees, "sid")
	if b.clients {
		only = []string{"berth", "docker-28"}
		if err := b.furnishClients(); err != nil {
			return err
		}
	}
	for _, p := range []struct {
		name string
		make func() (*peer, error)
	}{
		{"berth", func() (*peer, error) { return startBerth("berth", bin, b.dir) }},
		{berthErofs, func() (*peer, error) { return startBerth(berthErofs, bin, b.dir, "--storage-driver=erofs") }},
		{"docker", func() (*peer, error) { return startDocker("docker", stable, b.dir) }},
		{"docker-28", func() (*peer, error) { return startDocker("docker-28", sid, b.dir) }},
		{"podman", func() (*peer, error) { return startPodman(stable, b.dir) }},
		{"crun", func() (*peer, error) { return startBare("crun", stable, b.dir, bundle) }},
		{"runc", func() (*peer, error) { return startBare("runc", stable, b.dir, bundle) }},
		{"kernel", func() (*peer, error) { return startFloor(b.dir, rootfs) }},
	} {
		if (len(only) > 0 || p.name == berthErofs) && !slices.Contains(only, p.name) {
			continue
		}
		made, err := p.make()
		if err == nil && b.clients && p.name == "berth" {
			err = asClient(made, sid, b.dir, berthSocket(b.dir))
		}
		if err == nil && len(made.cli) > 0 {
			err = b.fetch(made)
		}
		if err != nil {
			if p.name == "berth" {
				return err
			}
			b.fail(p.name+" is left out", err)
			continue
		}
		b.peers = append(b.peers, made)
		fmt.Printf("%s: %s\n", p.name, made.versionLine())
	}
	return nil
}

// copySelf puts this program where every peer's tree has it too.
func copySelf(dir string) (string, error) {
	program, err := os.ReadFile("/proc/self/exe")
	if err != nil {
		return "", err
	}
	path := filepath.Join(dir, "bench")
	return path, os.WriteFile(path, program, 0o755)
}

// fetch gives a peer the small image.
func (b *bench) fetch(p *peer) error {
	args := []string{"pull", b.small}
	if p.name == "podman" {
		args = []string{"pull", "--tls-verify=false", b.small}
	}
	if _, err := p.do(args...); err != nil {
		return err
	}
	_, err := p.do("run", "--rm", b.small, "true") // the first of all pays for what the others find warm
	return err
}

// take measures all peers in turns, so that whatever the machine does meanwhile meets all of them.
func (b *bench) take(m measure, n int) {
	if m.n > 0 {
		n = m.n
	}
	var with []*peer
	for _, p := range b.peers {
		if m.can != nil && !m.can(p) {
			continue
		}
		if m.prepare != nil {
			undo, err := m.prepare(b, p)
			if undo != nil {
				defer undo()
			}
			if err != nil {
				b.fail(m.name+", "+p.name, err)
				continue
			}
		}
		with = append(with, p)
	}
	for i := range n {
		// Another one begins each round: nobody is always the one after the heaviest.
		turn := i % max(1, len(with))
		with = slices.Concat(with[turn:], with[:turn])
		with = slices.DeleteFunc(with, func(p *peer) bool {
			v, err := m.once(b, p)
			if err != nil {
				b.fail(m.name+", "+p.name, err)
				return true
			}
			b.add(m.name, p.name, v)
			return false
		})
	}
}

func (b *bench) finish() {
	for _, p := range slices.Backward(b.peers) {
		p.agent.close()
		p.stop()
	}
	if len(b.failed) > 0 {
		fmt.Printf("\nleft out:\n")
		for _, l := range b.failed {
			fmt.Println(" ", l)
		}
	}
}
