package moby

import (
	"bufio"
	"fmt"
	"strings"

	"github.com/berthhq/berth/test/harness"
	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/client"
)

// lines is how many the container writes: about ten times what its log keeps.
const lines = 2000

// rotation follows a log that is rotated meanwhile: every line comes, once and in order, and the end is told. What is
// kept afterwards is the newest part.
func rotation(w *harness.World) {
	id := run(w, harness.Spec{
		// Slower than the follower reads: dockerd loses lines when files turn faster than they are read.
		Cmd: []string{"sh", "-c", fmt.Sprintf("i=0; while [ $i -lt %d ]; do i=$((i+1)); echo line $i; [ $((i%%20)) -ne 0 ] || sleep 0.02; done", lines)},
		Conf: func(c *container.Config, h *container.HostConfig) {
			c.Tty = true // a plain stream
			h.LogConfig = container.LogConfig{Type: "json-file", Config: map[string]string{"max-size": "8k", "max-file": "2"}}
		},
	})
	got := logged(w, id, client.ContainerLogsOptions{ShowStdout: true, Follow: true})
	if len(got) != lines {
		w.Errorf("of %d lines %d were followed", lines, len(got))
	}
	for i, line := range got {
		if line != fmt.Sprint("line ", i+1) {
			w.Fatalf("line %d is %q", i+1, line)
		}
	}
	kept := logged(w, id, client.ContainerLogsOptions{ShowStdout: true})
	if len(kept) == 0 || len(kept) > lines/2 || kept[len(kept)-1] != fmt.Sprint("line ", lines) {
		w.Errorf("%d lines are kept, the last is %q", len(kept), kept[max(0, len(kept)-1):])
	}
	last := logged(w, id, client.ContainerLogsOptions{ShowStdout: true, Tail: "3"})
	if want := kept[max(0, len(kept)-3):]; strings.Join(last, "|") != strings.Join(want, "|") {
		w.Errorf("the last three are %q, not %q", last, want)
	}
}

// logged reads a log to its end.
func logged(w *harness.World, id string, o client.ContainerLogsOptions) []string {
	w.Helper()
	r, err := w.API.ContainerLogs(w.Ctx(), id, o)
	w.Must(err)
	defer r.Close()
	var all []string
	s := bufio.NewScanner(r)
	for s.Scan() {
		all = append(all, strings.TrimSuffix(s.Text(), "\r"))
	}
	w.Must(s.Err())
	return all
}
