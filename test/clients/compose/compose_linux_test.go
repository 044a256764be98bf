package compose

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/berthhq/berth/test/harness"
	"github.com/moby/moby/client"
)

// envCompose names the built program to the stages of the harness.
const envCompose = "BERTH_TEST_COMPOSE"

// TestMain builds berth-compose, a module of its own, before the namespaces cut the way to modules.
func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	if os.Getenv(envCompose) == "" && os.Geteuid() == 0 {
		dir, err := os.MkdirTemp("", "berth-compose-")
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		defer os.RemoveAll(dir)
		program := filepath.Join(dir, "berth-compose")
		build := exec.Command("go", "build", "-buildvcs=false", "-trimpath", "-o", program, ".")
		build.Dir = "../../../cmd/berth-compose"
		build.Env = append(os.Environ(), "CGO_ENABLED=0")
		if out, err := build.CombinedOutput(); err != nil {
			fmt.Fprintf(os.Stderr, "building berth-compose: %v\n%s", err, out)
			return 1
		}
		os.Setenv(envCompose, program)
	}
	return harness.Main(m)
}

// project is a directory of testdata as Compose sees it.
type project struct {
	*harness.World
	dir, home string
}

// open makes a project that is taken down when the test ends, however it ends.
func open(w *harness.World, dir string) *project {
	w.Helper()
	p := &project{World: w, dir: filepath.Join("testdata", dir), home: w.TempDir()}
	w.Cleanup(func() { p.command(context.Background(), "down", "-v", "-t", "0", "--remove-orphans").Run() })
	return p
}

func (p *project) command(ctx context.Context, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, os.Getenv(envCompose), args...)
	cmd.Dir = p.dir
	cmd.Env = append(os.Environ(), "DOCKER_HOST=unix://"+p.Layout.Socket(), "HOME="+p.home, "DOCKER_BUILDKIT=0", "COMPOSE_PROGRESS=plain")
	cmd.WaitDelay = 5 * time.Second
	return cmd
}

// do runs Compose and gives what it printed; whatever it says besides is for the error.
func (p *project) do(args ...string) string {
	p.Helper()
	var out, said strings.Builder
	cmd := p.command(p.Ctx(), args...)
	cmd.Stdout, cmd.Stderr = &out, &said
	if err := cmd.Run(); err != nil {
		p.Fatalf("compose %s: %v\n%s%s", strings.Join(args, " "), err, out.String(), said.String())
	}
	return out.String()
}

// is runs Compose and compares what it printed.
func (p *project) is(want string, args ...string) {
	p.Helper()
	if got := strings.TrimSpace(p.do(args...)); got != want {
		p.Errorf("compose %s: %q, not %q", strings.Join(args, " "), got, want)
	}
}

// has runs Compose and looks for words in what it printed.
func (p *project) has(words string, args ...string) {
	p.Helper()
	if got := p.do(args...); !strings.Contains(got, words) {
		p.Errorf("compose %s: no %q in\n%s", strings.Join(args, " "), words, got)
	}
}

// fails runs Compose, which must end with an error.
func (p *project) fails(args ...string) {
	p.Helper()
	if out, err := p.command(p.Ctx(), args...).CombinedOutput(); err == nil {
		p.Errorf("compose %s: no error:\n%s", strings.Join(args, " "), out)
	}
}

// follow runs Compose in the background and gives its lines.
func (p *project) follow(args ...string) *bufio.Scanner {
	p.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	cmd := p.command(ctx, args...)
	out, err := cmd.StdoutPipe()
	p.Must(err)
	p.Must(cmd.Start())
	p.Cleanup(func() { cancel(); cmd.Wait() })
	return bufio.NewScanner(out)
}

// until reads lines to one with these words.
func (p *project) until(lines *bufio.Scanner, words string) {
	p.Helper()
	var seen strings.Builder
	for lines.Scan() {
		if strings.Contains(lines.Text(), words) {
			return
		}
		fmt.Fprintln(&seen, lines.Text())
	}
	p.Fatalf("no line with %q:\n%s", words, seen.String())
}

func (p *project) page() string {
	p.Helper()
	addr := strings.TrimSpace(p.do("port", "web", "80"))
	answer, err := http.Get("http://" + addr + "/")
	p.Must(err)
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	p.Must(err)
	return string(body)
}

// started says when a service's only container was.
func (p *project) started(service string) string {
	p.Helper()
	return p.Inspect(strings.TrimSpace(p.do("ps", "-q", service))).State.StartedAt
}

// rest is what the engine still knows of a project.
func (p *project) rest(name string) (out []string) {
	p.Helper()
	mine := client.Filters{}.Add("label", "com.docker.compose.project="+name)
	cs, err := p.API.ContainerList(p.Ctx(), client.ContainerListOptions{All: true, Filters: mine})
	p.Must(err)
	for _, c := range cs.Items {
		out = append(out, "container "+c.Names[0])
	}
	ns, err := p.API.NetworkList(p.Ctx(), client.NetworkListOptions{Filters: mine})
	p.Must(err)
	for _, n := range ns.Items {
		out = append(out, "network "+n.Name)
	}
	vs, err := p.API.VolumeList(p.Ctx(), client.VolumeListOptions{Filters: mine})
	p.Must(err)
	for _, v := range vs.Items {
		out = append(out, "volume "+v.Name)
	}
	return out
}

func TestShop(t *testing.T) {
	w := harness.New(t)
	p := open(w, "shop")
	heard := p.follow("events", "--json")
	p.do("up", "-d", "--wait", "--build", "db", "cache", "app", "web")
	p.until(heard, `"action":"start"`)
	w.Part("up", func(w *harness.World) { p.with(w).upHeld() })
	w.Part("commands", func(w *harness.World) { p.with(w).commands() })
	w.Part("scale and restart", func(w *harness.World) { p.with(w).scaled() })
	w.Part("pause, kill, profile", func(w *harness.World) { p.with(w).stopped() })
	p.do("--profile", "tools", "down", "-v", "--rmi", "local", "-t", "0")
	if left := p.rest("shop"); left != nil {
		t.Errorf("left by down -v: %s", left)
	}
}

func (p *project) with(w *harness.World) *project {
	part := *p
	part.World = w
	return &part
}

// upHeld looks at what the file promises: order, names, networks, configs, secrets, what was built.
func (p *project) upHeld() {
	if got := p.page(); got != "the page\n" {
		p.Errorf("the page: %q", got)
	}
	p.is("row\nfrom the image", "logs", "--no-log-prefix", "migrate")
	p.is("s3cret", "exec", "-T", "db", "cat", "/run/secrets/password")
	p.has("from the image", "exec", "-T", "app", "wget", "-qO-", "http://kv:6379/seed")
	p.fails("exec", "-T", "web", "wget", "-qO-", "http://kv:6379/seed") // not on that network
	p.has(`"Health":"healthy"`, "ps", "--format", "json", "app")
	p.is("listening as base", "logs", "--no-log-prefix", "app")
	services := strings.Fields(p.do("ps", "--services"))
	slices.Sort(services)
	if got := strings.Join(services, " "); got != "app cache db web" {
		p.Errorf("services that run: %s", got)
	}
}

func (p *project) commands() {
	p.is("7", "exec", "-T", "-e", "N=7", "cache", "sh", "-c", "echo $N")
	p.is("ran", "run", "--rm", "-T", "--no-deps", "cache", "echo", "ran")
	p.has("httpd -f -p 6379", "top", "cache")
	p.has("shop-web", "images")
	p.do("cp", "compose.yaml", "cache:/tmp/in")
	back := filepath.Join(p.home, "back")
	p.do("cp", "cache:/tmp/in", back)
	got, err := os.ReadFile(back)
	p.Must(err)
	want, err := os.ReadFile(filepath.Join(p.dir, "compose.yaml"))
	p.Must(err)
	if string(got) != string(want) {
		p.Errorf("copied in and out: %q", got)
	}
	lines := p.follow("logs", "-f", "--no-log-prefix", "app")
	p.until(lines, "listening")
	p.do("restart", "-t", "0", "app")
	p.until(lines, "listening") // it goes on with the restarted container
}

func (p *project) scaled() {
	db, cache := p.started("db"), p.started("cache")
	p.do("restart", "-t", "0", "cache")
	if p.started("cache") == cache || p.started("db") != db {
		p.Error("restart of one service did not restart that one alone")
	}
	p.do("up", "-d", "--no-recreate", "--scale", "app=3", "app")
	if n := len(strings.Fields(p.do("ps", "-q", "app"))); n != 3 {
		p.Errorf("%d containers of app, not 3", n)
	}
	p.is("3", "exec", "-T", "db", "sh", "-c", "nslookup -type=a app. | grep -c ^Name")
	p.do("scale", "app=1")
	if n := len(strings.Fields(p.do("ps", "-q", "app"))); n != 1 {
		p.Errorf("%d containers of app, not 1", n)
	}
}

func (p *project) stopped() {
	p.do("pause", "cache")
	p.has("(Paused)", "ps", "cache")
	p.do("unpause", "cache")
	p.do("kill", "-s", "KILL", "cache")
	p.has(`"ExitCode":137`, "ps", "-a", "--format", "json", "cache")
	p.do("up", "-d", "--wait", "cache")
	p.is("from the image", "run", "--rm", "-T", "tool")
	p.do("stop", "-t", "0", "db")
	p.do("up", "-d", "--wait", "--force-recreate", "--no-deps", "db")
	p.is("row\nrow", "exec", "-T", "db", "cat", "/rows/rows") // the volume outlived the container
}

// TestLinks runs a file of old: links inside a network, and links of the default bridge with their variables.
func TestLinks(t *testing.T) {
	p := open(harness.New(t), "links")
	p.is("from the image\nfrom the image", "run", "--rm", "-T", "web")
	p.is("from the image\nold 5432", "run", "--rm", "-T", "old")
	p.do("down", "-v", "-t", "0")
	if left := p.rest("links"); left != nil {
		t.Errorf("left by down -v: %s", left)
	}
}
