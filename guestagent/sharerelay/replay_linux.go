package sharerelay

import (
	"runtime"
	"sync"
	"sync/atomic"

	"golang.org/x/sys/unix"

	"github.com/berthhq/berth/internal/fusewire"
)

// maxEvents bounds the changes that wait to be repeated; what comes on top is not told of.
const maxEvents = 16 << 10

// replay repeats changes of the host as calls on the mount, all on one thread.
type replay struct {
	m       *mount
	thread  atomic.Uint32
	current atomic.Pointer[fusewire.Event]
	done    chan struct{}
	asked   atomic.Uint64 // the request of ours that the server is asked about
	passing atomic.Uint64 // the request of ours whose answer must not be kept
	ghosts  uint64        // how many there were; requests of one thread come one by one

	mu    sync.Mutex
	wake  *sync.Cond
	queue []fusewire.Event
	over  bool
}

func newReplay(m *mount) *replay {
	r := &replay{m: m, done: make(chan struct{})}
	r.wake = sync.NewCond(&r.mu)
	go r.run()
	return r
}

// add queues a change. One that says no more than the last is left out, as the kernel does.
func (r *replay) add(e fusewire.Event) {
	r.mu.Lock()
	defer r.mu.Unlock()
	n := len(r.queue)
	if n >= maxEvents || n > 0 && r.queue[n-1] == e {
		return
	}
	r.queue = append(r.queue, e)
	r.wake.Signal()
}

func (r *replay) stop() {
	r.mu.Lock()
	r.over = true
	r.wake.Signal()
	r.mu.Unlock()
	<-r.done
}

func (r *replay) next() (fusewire.Event, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for len(r.queue) == 0 && !r.over {
		r.wake.Wait()
	}
	if r.over {
		return fusewire.Event{}, false
	}
	e := r.queue[0]
	r.queue = r.queue[1:]
	return e, true
}

func (r *replay) run() {
	runtime.LockOSThread() // and never given back: the thread ends with this
	defer close(r.done)
	r.thread.Store(uint32(unix.Gettid()))
	for {
		e, ok := r.next()
		if !ok {
			return
		}
		r.current.Store(&e)
		r.repeat(&e)
		r.current.Store(nil)
	}
}

// repeat makes the call that raises the event.
func (r *replay) repeat(e *fusewire.Event) {
	dir, err := r.open(e.Dir)
	if err != nil {
		return
	}
	defer func() { _ = unix.Close(dir) }()
	switch e.Kind {
	case fusewire.EventCreate:
		r.create(dir, e)
	case fusewire.EventModify:
		r.expireUnknown(e)
		r.modify(dir, e)
	case fusewire.EventAttrib:
		r.expireUnknown(e)
		if e.Mode&fusewire.ModeType != fusewire.ModeSymlink {
			_ = unix.Fchmodat(dir, e.Name, e.Mode&0o777, 0)
		}
	case fusewire.EventClosed:
		r.expireUnknown(e)
		if fd, err := unix.Openat(dir, e.Name, unix.O_WRONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK|unix.O_CLOEXEC, 0); err == nil {
			_ = unix.Close(fd)
		}
	case fusewire.EventDelete:
		r.remove(dir, e)
	case fusewire.EventMove:
		to, err := r.open(e.ToDir)
		if err != nil {
			return
		}
		defer func() { _ = unix.Close(to) }()
		r.expire(e.Parent, e.Name)
		r.expire(e.ToNode, e.ToName)
		_ = unix.Renameat2(dir, e.Name, to, e.ToName, 0)
	}
}

func (r *replay) open(dir string) (int, error) {
	if dir == "" {
		dir = "."
	}
	return unix.Openat2(r.m.root, dir, &unix.OpenHow{
		Flags:   unix.O_PATH | unix.O_DIRECTORY | unix.O_CLOEXEC,
		Resolve: unix.RESOLVE_BENEATH | unix.RESOLVE_NO_SYMLINKS | unix.RESOLVE_NO_MAGICLINKS,
	})
}

// modify raises IN_MODIFY by fallocate, which changes nothing that the kernel has cached. A change of the mtime would do too,
// but its answer would carry a size that is perhaps out of date by then, which the kernel would believe.
func (r *replay) modify(dir int, e *fusewire.Event) {
	fd, err := unix.Openat(dir, e.Name, unix.O_WRONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		return
	}
	_ = unix.Fallocate(fd, unix.FALLOC_FL_KEEP_SIZE, 0, 1)
	_ = unix.Close(fd)
}

// tries is how often a name is made when somebody looks it up in between.
const tries = 3

func (r *replay) create(dir int, e *fusewire.Event) {
	for range tries {
		var err error
		r.expire(e.Parent, e.Name)
		switch e.Mode & fusewire.ModeType {
		case fusewire.ModeDir:
			err = unix.Mkdirat(dir, e.Name, e.Mode&0o777)
		case fusewire.ModeSymlink:
			err = unix.Symlinkat(e.Target, dir, e.Name)
		default:
			err = unix.Mknodat(dir, e.Name, e.Mode&(fusewire.ModeType|0o777), 0)
		}
		if err != unix.EEXIST {
			return
		}
	}
}

// expire has the kernel ask for a name again, whatever it knows of it.
func (r *replay) expire(parent uint64, name string) {
	_ = r.m.write(fusewire.AppendInvalEntry(nil, parent, name, fusewire.EntryExpireOnly))
}

// expireUnknown does so for a name that the guest may remember as missing.
func (r *replay) expireUnknown(e *fusewire.Event) {
	if e.Node == 0 {
		r.expire(e.Parent, e.Name)
	}
}

func (r *replay) remove(dir int, e *fusewire.Event) {
	r.expire(e.Parent, e.Name)
	flags := 0
	if e.Mode&fusewire.ModeType == fusewire.ModeDir {
		flags = unix.AT_REMOVEDIR
	}
	_ = unix.Unlinkat(dir, e.Name, flags)
}
