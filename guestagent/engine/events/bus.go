package events

import (
	"context"
	"sync"
	"time"

	"github.com/moby/moby/api/types/events"
)

// kept is how many past events a subscriber can have replayed, docker's number.
const kept = 256

// queue is how many events may wait for one subscriber before it is cut off: it would otherwise hold up the engine or
// grow without bound.
const queue = 4096

// Filter says whether a subscriber wants an event.
type Filter func(events.Message) bool

// Bus tells subscribers what happened and remembers the last of it. Safe for concurrent use; publishing never waits.
type Bus struct {
	now func() time.Time

	mu   sync.Mutex
	past []events.Message // the oldest first, at most kept
	subs map[*subscriber]struct{}
}

type subscriber struct {
	ch   chan events.Message
	want Filter
}

// NewBus makes a bus.
func NewBus() *Bus { return &Bus{now: time.Now, subs: map[*subscriber]struct{}{}} }

// Publish tells that action happened to the object id of a type ("container", "image" …). attrs belong to the bus from
// then on.
func (b *Bus) Publish(typ, action, id string, attrs map[string]string) {
	if attrs == nil {
		attrs = map[string]string{}
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	at := b.now().UTC()
	m := events.Message{
		Type: events.Type(typ), Action: events.Action(action), Actor: events.Actor{ID: id, Attributes: attrs},
		Scope: "local", Time: at.Unix(), TimeNano: at.UnixNano(),
	}
	if len(b.past) == kept {
		copy(b.past, b.past[1:])
		b.past = b.past[:kept-1]
	}
	b.past = append(b.past, m)
	for s := range b.subs {
		if s.want != nil && !s.want(m) {
			continue
		}
		select {
		case s.ch <- m:
		default:
			delete(b.subs, s) // it does not read
			close(s.ch)
		}
	}
}

// Subscribe gives the past events between since and until, and a channel of those to come. Without either nothing is
// replayed, a zero until follows for ever; with an until in the past ch is closed at once. The channel is closed when
// ctx or the time ends, or the subscriber falls too far behind. No event is missed or given twice between the two.
func (b *Bus) Subscribe(ctx context.Context, since, until time.Time, want Filter) (replay []events.Message, ch <-chan events.Message) {
	s := &subscriber{ch: make(chan events.Message, queue), want: want}
	b.mu.Lock()
	defer b.mu.Unlock()
	if !since.IsZero() || !until.IsZero() {
		for _, m := range b.past {
			at := time.Unix(0, m.TimeNano)
			if at.Before(since) || !until.IsZero() && at.After(until) || want != nil && !want(m) {
				continue
			}
			replay = append(replay, m)
		}
	}
	if !until.IsZero() && !until.After(b.now()) {
		close(s.ch)
		return replay, s.ch
	}
	b.subs[s] = struct{}{}
	b.watch(ctx, until, s)
	return replay, s.ch
}

// watch ends a subscription when its context or time does.
func (b *Bus) watch(ctx context.Context, until time.Time, s *subscriber) {
	cancel := func() {}
	if !until.IsZero() {
		ctx, cancel = context.WithDeadline(ctx, until)
	}
	context.AfterFunc(ctx, func() {
		cancel()
		b.mu.Lock()
		defer b.mu.Unlock()
		if _, ok := b.subs[s]; ok {
			delete(b.subs, s)
			close(s.ch)
		}
	})
}
