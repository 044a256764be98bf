package events

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/moby/moby/api/types/events"
)

func actions(list []events.Message) (out []string) {
	for _, m := range list {
		out = append(out, string(m.Action))
	}
	return out
}

func drain(ch <-chan events.Message) (out []string) {
	for m := range ch {
		out = append(out, string(m.Action))
	}
	return out
}

func TestPastAndFutureMeet(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := NewBus()
		begin := time.Now()
		b.Publish("container", "create", "c1", nil)
		time.Sleep(time.Second)
		b.Publish("container", "start", "c1", nil)
		ctx, cancel := context.WithCancel(t.Context())
		replay, ch := b.Subscribe(ctx, begin, time.Time{}, nil)
		later, _ := b.Subscribe(ctx, begin.Add(time.Millisecond), time.Time{}, nil)
		none, _ := b.Subscribe(ctx, time.Time{}, time.Time{}, nil)
		b.Publish("container", "die", "c1", map[string]string{"exitCode": "0"})
		cancel()
		synctest.Wait()
		if got := fmt.Sprint(actions(replay), drain(ch)); got != "[create start] [die]" {
			t.Errorf("got %s", got)
		}
		if fmt.Sprint(actions(later)) != "[start]" || none != nil {
			t.Errorf("later %v, none %v", actions(later), none)
		}
	})
}

func TestUntilEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := NewBus()
		begin := time.Now()
		b.Publish("image", "pull", "i", nil)
		time.Sleep(time.Second)
		_, ch := b.Subscribe(t.Context(), begin, begin.Add(2*time.Second), nil)
		b.Publish("image", "tag", "i", nil)
		time.Sleep(5 * time.Second)
		b.Publish("image", "delete", "i", nil)
		if got := drain(ch); fmt.Sprint(got) != "[tag]" {
			t.Errorf("got %v", got)
		}
		replay, ch := b.Subscribe(t.Context(), begin, begin.Add(500*time.Millisecond), nil)
		if fmt.Sprint(actions(replay)) != "[pull]" || drain(ch) != nil {
			t.Errorf("replayed %v", actions(replay))
		}
		replay, ch = b.Subscribe(t.Context(), time.Time{}, begin.Add(1500*time.Millisecond), nil)
		if fmt.Sprint(actions(replay)) != "[pull tag]" || drain(ch) != nil {
			t.Errorf("without a beginning %v", actions(replay))
		}
	})
}

func TestReaderThatNeverReadsIsCutOff(t *testing.T) {
	b := NewBus()
	_, ch := b.Subscribe(t.Context(), time.Time{}, time.Time{}, nil)
	for range queue + 10 {
		b.Publish("container", "exec", "c", nil)
	}
	if n := len(drain(ch)); n != queue {
		t.Errorf("%d events waited", n)
	}
	replay, _ := b.Subscribe(t.Context(), time.Unix(1, 0), time.Time{}, nil)
	if len(replay) != kept {
		t.Errorf("%d events are remembered", len(replay))
	}
}

func TestConcurrentUse(t *testing.T) {
	b := NewBus()
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range 100 {
				ctx, cancel := context.WithCancel(context.Background())
				b.Subscribe(ctx, time.Unix(1, 0), time.Time{}, nil)
				b.Publish("container", "start", "c", nil)
				cancel()
			}
		})
	}
	wg.Wait()
}

func TestMatch(t *testing.T) {
	m := events.Message{Type: "container", Action: "health_status: healthy", Scope: "local", Actor: events.Actor{
		ID: "0123456789abcdef", Attributes: map[string]string{"name": "web", "image": "nginx:1.27", "tier": "front"}}}
	for name, tc := range map[string]struct {
		f    map[string]map[string]bool
		want bool
	}{
		"none":              {nil, true},
		"event":             {map[string]map[string]bool{"event": {"health_status": true}}, true},
		"event whole":       {map[string]map[string]bool{"event": {"health_status: healthy": true}}, true},
		"other event":       {map[string]map[string]bool{"event": {"health": true}}, false},
		"alternatives":      {map[string]map[string]bool{"event": {"start": true, "health_status": true}}, true},
		"keys add up":       {map[string]map[string]bool{"type": {"container": true}, "event": {"start": true}}, false},
		"name":              {map[string]map[string]bool{"container": {"web": true}}, true},
		"short id":          {map[string]map[string]bool{"container": {"01234567": true}}, true},
		"name's beginning":  {map[string]map[string]bool{"container": {"we": true}}, true},
		"nothing asked for": {map[string]map[string]bool{"container": {"": true}}, true},
		"another noun":      {map[string]map[string]bool{"network": {"web": true}}, false},
		"label":             {map[string]map[string]bool{"label": {"tier": true}}, true},
		"labels, not all":   {map[string]map[string]bool{"label": {"tier": true, "tier=back": true}}, false},
		"label value":       {map[string]map[string]bool{"label": {"tier=back": true}}, false},
		"image":             {map[string]map[string]bool{"image": {"nginx:1.27": true}}, true},
		"image without tag": {map[string]map[string]bool{"image": {"nginx": true}}, true},
		"unknown key":       {map[string]map[string]bool{"weather": {"fine": true}}, false},
		"excluded":          {map[string]map[string]bool{"type": {"container": false}}, false},
	} {
		t.Run(name, func(t *testing.T) {
			f := Match(tc.f)
			if got := f == nil || f(m); got != tc.want {
				t.Errorf("matched: %v", got)
			}
		})
	}
}
