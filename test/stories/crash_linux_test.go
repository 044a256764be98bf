package stories

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/berthhq/berth/guestagent/engine/supervisor/proto"
	"github.com/berthhq/berth/test/harness"
	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/client"
	"golang.org/x/sys/unix"
)

// kills is how often a program is killed.
func kills() int {
	if os.Getenv("BERTH_LONG") != "" {
		return 200
	}
	return 10
}

// supervisor asks the supervisor for its pid; 0 is that none answers just now.
func supervisor(w *harness.World) int {
	c, err := proto.Dial(w.Layout.SupervisorSocket())
	if err != nil {
		return 0
	}
	defer c.Close()
	if c.Send(&proto.Request{Op: proto.OpHello, Version: proto.Version}) != nil {
		return 0
	}
	var resp proto.Response
	if _, err := c.Recv(&resp); err != nil {
		return 0
	}
	return resp.Pid
}

// The supervisor is killed again and again while containers start, exec, end and are removed. Streams go on, logs have
// no gap, exit codes are learnt, states are true, nothing hangs and nothing is left.
func TestSupervisorIsKilled(t *testing.T) {
	w := harness.New(t)
	count := "i=0; while :; do echo $i; i=$((i+1)); usleep 10000; done"
	w.Run(harness.Spec{Name: "steady", Cmd: []string{"sh", "-c", "trap 'exit 9' TERM; " + count}})
	w.Run(harness.Spec{Name: "ends", Cmd: []string{"sh", "-c", "while [ ! -e /tmp/end ]; do usleep 20000; done; exit 21"}})
	echo := echoing(w)
	load := newLoad(w)
	dead := map[int]bool{}
	for i := range kills() {
		pause := time.Duration(i*37%200) * time.Millisecond // another point of the load each time
		if i%6 == 5 {
			pause = 1200 * time.Millisecond // of supervisors that never live for a second the keeper gives up
		}
		time.Sleep(pause)
		w.Eventually("a supervisor answers", func() bool {
			pid := supervisor(w)
			if pid == 0 || dead[pid] {
				return false
			}
			dead[pid] = true
			return unix.Kill(pid, unix.SIGKILL) == nil
		})
		echo.say(w, fmt.Sprintf("after kill %d", i+1))
		truthful(w, "steady", "ends", "echo")
	}
	load.stop()
	nothingRunsUnknown(w)
	if n := load.done(); n == 0 {
		t.Error("no container of the load ever ran to its end")
	}
	finish(w, echo)
}

// nothingRunsUnknown checks that the load's containers, however their starts and ends were cut short, are gone or told
// as what they are.
func nothingRunsUnknown(w *harness.World) {
	w.Helper()
	w.Eventually("every container of the load is told as it is", func() bool {
		list, err := w.API.ContainerList(w.Ctx(), client.ContainerListOptions{All: true})
		w.Must(err)
		for _, c := range list.Items {
			if !strings.HasPrefix(c.Names[0], "/load") {
				continue
			}
			if c.State == container.StateRunning { // its command has long ended
				w.Logf("%s runs: %s", c.Names[0], c.Status)
				return false
			}
		}
		return true
	})
}

// finish ends what the story began and looks at what is known of it.
func finish(w *harness.World, echo *echoClient) {
	w.Helper()
	w.Eventually("a command runs in ends", func() bool {
		out, code, err := w.TryExec("ends", client.ExecCreateOptions{Cmd: []string{"touch", "/tmp/end"}})
		if err != nil || code != 0 {
			w.Logf("exec in ends: exit code %d, %q, %v", code, out, err)
		}
		return err == nil && code == 0
	})
	if code := w.Wait("ends"); code != 21 {
		w.Errorf("ends: exit code %d", code)
	}
	w.Must(echo.CloseWrite())
	if code := w.Wait("echo"); code != 5 {
		w.Errorf("echo: exit code %d", code)
	}
	if rest, err := io.ReadAll(echo.lines); err != nil || len(rest) > 0 {
		w.Errorf("the end of the stream: %q, %v", rest, err)
	}
	_, err := w.API.ContainerKill(w.Ctx(), "steady", client.ContainerKillOptions{Signal: "TERM"})
	w.Must(err)
	if code := w.Wait("steady"); code != 9 {
		w.Errorf("steady: exit code %d", code)
	}
	out, _ := w.Logs("steady")
	lines := strings.Fields(out)
	for i, line := range lines {
		if line != fmt.Sprint(i) {
			w.Fatalf("line %d of %d of the log is %q", i, len(lines), line)
		}
	}
	if len(lines) < 10 {
		w.Errorf("only %d lines", len(lines))
	}
}

// echoClient is a client of a container that says what it is told.
type echoClient struct {
	client.HijackedResponse
	lines *bufio.Reader
}

// echoing starts the container and attaches to it.
func echoing(w *harness.World) *echoClient {
	w.Helper()
	id := w.Create(harness.Spec{Name: "echo", Cmd: []string{"sh", "-c", "cat; exit 5"}, Conf: func(c *container.Config, _ *container.HostConfig) {
		c.OpenStdin, c.StdinOnce, c.Tty = true, true, false
	}})
	a, err := w.API.ContainerAttach(w.Ctx(), id, client.ContainerAttachOptions{Stream: true, Stdin: true, Stdout: true})
	w.Must(err)
	w.Cleanup(a.Close)
	w.Begin(id)
	pr, pw := io.Pipe()
	go func() {
		for { // frames of one line each: docker's header of eight bytes, then the text
			head := make([]byte, 8)
			if _, err := io.ReadFull(a.Reader, head); err != nil {
				pw.CloseWithError(err)
				return
			}
			if _, err := io.CopyN(pw, a.Reader, int64(head[4])<<24|int64(head[5])<<16|int64(head[6])<<8|int64(head[7])); err != nil {
				return
			}
		}
	}()
	return &echoClient{HijackedResponse: a.HijackedResponse, lines: bufio.NewReader(pr)}
}

// say sends a line and waits until it comes back.
func (e *echoClient) say(w *harness.World, line string) {
	w.Helper()
	if _, err := io.WriteString(e.Conn, line+"\n"); err != nil {
		w.Fatalf("the stream is broken: %v", err)
	}
	back := make(chan string, 1)
	go func() {
		s, err := e.lines.ReadString('\n')
		if err != nil {
			s += err.Error()
		}
		back <- s
	}()
	if got := next(w, "what was said", back); got != line+"\n" {
		w.Fatalf("said %q, heard %q", line, got)
	}
}

// truthful checks that containers are told to run and that their processes do.
func truthful(w *harness.World, names ...string) {
	w.Helper()
	for _, name := range names {
		st := w.Inspect(name).State
		if !st.Running || st.Pid == 0 || unix.Kill(st.Pid, 0) != nil {
			w.Fatalf("%s: %+v", name, st)
		}
	}
}

// load is work that goes on while programs are killed. Its steps may fail: what they were asked of has died.
type load struct {
	w    *harness.World
	quit chan struct{}
	wait sync.WaitGroup
	mu   sync.Mutex
	runs int
}

func newLoad(w *harness.World) *load {
	l := &load{w: w, quit: make(chan struct{})}
	for i := range 2 {
		l.wait.Go(func() {
			for n := 0; ; n++ {
				select {
				case <-l.quit:
					return
				default:
					l.step(fmt.Sprintf("load%d-%d", i, n))
				}
			}
		})
	}
	return l
}

// step runs one container to its end, with an exec, and removes it.
func (l *load) step(name string) {
	id, err := l.w.TryCreate(harness.Spec{Name: name, Cmd: []string{"sh", "-c", "echo begun; usleep 30000; exit 3"}})
	if err != nil {
		return
	}
	if l.w.TryStart(id) == nil {
		if e, err := l.w.API.ExecCreate(l.w.Ctx(), id, client.ExecCreateOptions{Cmd: []string{"true"}}); err == nil {
			l.w.API.ExecStart(l.w.Ctx(), e.ID, client.ExecStartOptions{Detach: true})
		}
		r := l.w.API.ContainerWait(l.w.Ctx(), id, client.ContainerWaitOptions{})
		select {
		case res := <-r.Result:
			if res.StatusCode != 3 {
				l.w.Errorf("%s: exit code %d", name, res.StatusCode)
			}
			l.mu.Lock()
			l.runs++
			l.mu.Unlock()
		case err := <-r.Error:
			l.w.Errorf("%s: waiting: %v", name, err)
		}
	}
	if _, err := l.w.API.ContainerRemove(l.w.Ctx(), id, client.ContainerRemoveOptions{Force: true}); err != nil {
		l.w.Logf("%s: removing: %v", name, err) // removed at the end, with all that is left
	}
}

func (l *load) stop() {
	close(l.quit)
	l.wait.Wait()
}

func (l *load) done() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.runs
}
