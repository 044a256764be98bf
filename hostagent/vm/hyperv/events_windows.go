package hyperv

import (
	"sync"

	"golang.org/x/sys/windows"
)

// Kinds of events.
const (
	eventExited            = 1
	eventServiceDisconnect = 0x02000000
)

// event is what the service hands to a callback; it is its own again when that returns.
type event struct {
	kind uint32
	data *uint16
	op   operation
}

// listeners are the machines that hear of their end. A callback of Windows is never given back, so there is one for all,
// which finds the machine by the number that it was registered with: never by a pointer, since the service may call late.
type listeners struct {
	mu   sync.Mutex
	last uintptr
	all  map[uintptr]func(kind uint32, data string)
}

var heard = listeners{all: map[uintptr]func(uint32, string){}}

var callback = sync.OnceValue(func() uintptr {
	return windows.NewCallback(func(e *event, key uintptr) uintptr {
		if e.kind != eventExited && e.kind != eventServiceDisconnect {
			return 0
		}
		heard.mu.Lock()
		tell := heard.all[key]
		delete(heard.all, key)
		heard.mu.Unlock()
		if tell == nil {
			return 0
		}
		var data string
		if e.data != nil {
			data = windows.UTF16PtrToString(e.data)
		}
		go tell(e.kind, data) // the service is not called from its own thread
		return 0
	})
})

// listen has tell called once, when the system has ended; forget stops that.
func (l *listeners) listen(s system, tell func(kind uint32, data string)) (forget func(), err error) {
	l.mu.Lock()
	l.last++
	key := l.last
	l.all[key] = tell
	l.mu.Unlock()
	forget = func() { l.mu.Lock(); delete(l.all, key); l.mu.Unlock() }
	if err := hcsSetComputeSystemCallback(s, 0, key, callback()); err != nil {
		forget()
		return nil, failed("HcsSetComputeSystemCallback", err, "")
	}
	return forget, nil
}
