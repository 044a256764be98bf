package supervisor

import (
	"sync"

	"github.com/berthhq/berth/guestagent/engine/supervisor/proto"
)

// backlog is how many events wait for a subscriber; one that falls further behind is cut off, and learns all from the
// snapshot when it comes back.
const backlog = 4096

// events hands out what happens. The zero value is ready.
type events struct {
	mu   sync.Mutex
	subs map[chan proto.Event]struct{}
}

func (e *events) publish(ev proto.Event) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for ch := range e.subs {
		select {
		case ch <- ev:
		default:
			delete(e.subs, ch)
			close(ch)
		}
	}
}

// subscribe gives a channel of what happens from now on; it is closed when its reader is too slow.
func (e *events) subscribe() chan proto.Event {
	e.mu.Lock()
	defer e.mu.Unlock()
	ch := make(chan proto.Event, backlog)
	if e.subs == nil {
		e.subs = map[chan proto.Event]struct{}{}
	}
	e.subs[ch] = struct{}{}
	return ch
}

func (e *events) unsubscribe(ch chan proto.Event) {
	e.mu.Lock()
	defer e.mu.Unlock()
	delete(e.subs, ch)
}
