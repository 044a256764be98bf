package moby

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/berthhq/berth/test/harness"
	"github.com/moby/moby/api/types/container"
	happening "github.com/moby/moby/api/types/events"
	"github.com/moby/moby/client"
)

// crowd is how many containers come and go.
const crowd = 50

// events listens while containers come and go from several clients at once: each has its whole life told in order, with
// its name, image, labels and exit code, and nobody else's. Asked for later, the same is told again.
func events(w *harness.World) {
	ctx, stop := context.WithTimeout(context.Background(), 5*time.Minute) // dockerd takes seconds for each on a busy machine
	defer stop()
	filters := make(client.Filters).Add("label", "crowd=yes").Add("type", "container")
	began := time.Now()
	stream := w.API.Events(ctx, client.EventsListOptions{Filters: filters})
	probe(w, stream)
	var all sync.WaitGroup
	for lane := range 5 {
		all.Go(func() {
			for n := lane; n < crowd; n += 5 {
				come(w, n)
			}
		})
	}
	lives := map[string][]happening.Message{}
	for gone := 0; gone < crowd; {
		select {
		case m := <-stream.Messages:
			lives[m.Actor.ID] = append(lives[m.Actor.ID], m)
			if m.Action == happening.ActionDestroy {
				gone++
			}
		case err := <-stream.Err:
			w.Fatalf("the stream ended after %d: %v", gone, err)
		}
	}
	all.Wait()
	stop()
	if w.Failed() {
		return
	}
	check(w, lives)
	replayed(w, began, filters, lives)
}

// probe makes a container until the stream tells of one: then it is being listened to.
func probe(w *harness.World, stream client.EventsResult) {
	w.Helper()
	heard := make(chan happening.Message, 1)
	go func() { heard <- <-stream.Messages }()
	for {
		id := w.Create(harness.Spec{Cmd: []string{"true"}, Conf: func(c *container.Config, _ *container.HostConfig) {
			c.Labels = map[string]string{"crowd": "yes"}
		}})
		select {
		case m := <-heard:
			w.Remove(id)
			for m.Action != happening.ActionDestroy || m.Actor.ID != id {
				m = <-stream.Messages
			}
			return
		case err := <-stream.Err:
			w.Fatal(err)
		case <-time.After(time.Second):
			w.Remove(id)
		}
	}
}

// come is the life of one container.
func come(w *harness.World, n int) {
	name := fmt.Sprint("crowd-", n)
	res, err := w.API.ContainerCreate(w.Ctx(), client.ContainerCreateOptions{Name: name, Config: &container.Config{
		Image: "bb", Cmd: []string{"sh", "-c", fmt.Sprint("exit ", n)}, Labels: map[string]string{"crowd": "yes", "n": fmt.Sprint(n)},
	}})
	if err != nil {
		w.Error(err)
		return
	}
	wait := w.API.ContainerWait(w.Ctx(), res.ID, client.ContainerWaitOptions{Condition: container.WaitConditionNextExit})
	if err := w.TryStart(res.ID); err != nil {
		w.Errorf("%s: %v", name, err)
	}
	select {
	case end := <-wait.Result:
		if int(end.StatusCode) != n {
			w.Errorf("%s ended with %d", name, end.StatusCode)
		}
	case err := <-wait.Error:
		w.Errorf("%s: %v", name, err)
	}
	w.Remove(res.ID)
}

// check compares each life with what it was.
func check(w *harness.World, lives map[string][]happening.Message) {
	w.Helper()
	told := 0
	for id, life := range lives {
		if life[0].Actor.Attributes["n"] == "" {
			continue // the probe
		}
		told++
		var actions []string
		last := int64(0)
		n := life[0].Actor.Attributes["n"]
		for _, m := range life {
			actions = append(actions, string(m.Action))
			a := m.Actor.Attributes
			if a["name"] != "crowd-"+n || a["image"] != "bb" || a["crowd"] != "yes" || m.Scope != "local" || m.Type != "container" {
				w.Errorf("%.12s: %+v", id, m)
			}
			if m.Action == happening.ActionDie && (a["exitCode"] != n || a["execDuration"] == "") {
				w.Errorf("crowd-%s: its end is told as %v", n, a)
			}
			if m.TimeNano < last || m.Time != m.TimeNano/1e9 {
				w.Errorf("crowd-%s: %s at %d, %d, after %d", n, m.Action, m.Time, m.TimeNano, last)
			}
			last = m.TimeNano
		}
		if got := strings.Join(actions, " "); got != "create start die destroy" {
			w.Errorf("the life of crowd-%s is told as %q", n, got)
		}
	}
	if told != crowd {
		w.Errorf("%d lives were told, of %d", told, crowd)
	}
}

// replayed asks for what was told, of those that are remembered: 256 at most, as docker keeps.
func replayed(w *harness.World, began time.Time, filters client.Filters, lives map[string][]happening.Message) {
	w.Helper()
	known := map[string]bool{}
	for _, life := range lives {
		for _, m := range life {
			known[key(m)] = true
		}
	}
	again := w.API.Events(w.Ctx(), client.EventsListOptions{
		Since: fmt.Sprint(began.Unix()), Until: fmt.Sprint(time.Now().Unix() + 1), Filters: filters,
	})
	seen, last := 0, int64(0)
	for {
		select {
		case m := <-again.Messages:
			if known[key(m)] {
				seen++
			}
			if m.TimeNano < last {
				w.Errorf("replayed out of order: %s", key(m))
			}
			last = m.TimeNano
			continue
		case err := <-again.Err:
			if seen < crowd { // the networks' events are kept as well, and count
				w.Errorf("%d events were replayed: %v", seen, err)
			}
		}
		return
	}
}

func key(m happening.Message) string { return fmt.Sprint(m.Actor.ID, m.Action, m.TimeNano) }
