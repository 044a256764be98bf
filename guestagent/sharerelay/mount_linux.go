package sharerelay

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"

	"golang.org/x/sys/unix"

	"github.com/berthhq/berth/internal/fusewire"
)

// readers take requests from the kernel at once. Each may wait for a stream that is full.
const readers = 6

// mount is one share: the kernel's side and the streams of the host's.
type mount struct {
	dir     string
	session string
	dev     int // /dev/fuse
	root    int // the mount's root, for the calls that repeat changes

	over    atomic.Bool
	reading sync.WaitGroup
	replay  *replay

	mu      sync.Mutex
	changed *sync.Cond // of streams and over
	streams []*worker
}

// newMount mounts a share at dir, which it makes: a directory, or a file for a share that is a single file.
func newMount(dir string, file bool) (*mount, error) {
	mode := unix.S_IFDIR | 0o755
	if file {
		mode = unix.S_IFREG | 0o644
	}
	if err := makeTarget(dir, file); err != nil {
		return nil, err
	}
	dev, err := unix.Open("/dev/fuse", unix.O_RDWR|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("/dev/fuse: %w", err)
	}
	data := fmt.Sprintf("fd=%d,rootmode=%o,user_id=0,group_id=0,allow_other,max_read=%d", dev, mode, fusewire.MaxData)
	if err := unix.Mount("berth", dir, "fuse.berth", unix.MS_NOSUID|unix.MS_NODEV, data); err != nil {
		_ = unix.Close(dev)
		return nil, fmt.Errorf("mounting %s: %w", dir, err)
	}
	root, err := unix.Open(dir, unix.O_PATH|unix.O_CLOEXEC, 0)
	if err != nil {
		_ = unix.Unmount(dir, unix.MNT_DETACH)
		_ = unix.Close(dev)
		return nil, fmt.Errorf("%s: %w", dir, err)
	}
	m := &mount{dir: dir, dev: dev, root: root}
	m.changed = sync.NewCond(&m.mu)
	m.replay = newReplay(m)
	m.reading.Add(readers)
	for range readers {
		go m.read()
	}
	return m, nil
}

func makeTarget(dir string, file bool) error {
	if !file {
		return os.MkdirAll(dir, 0o755)
	}
	if err := os.MkdirAll(filepath.Dir(dir), 0o755); err != nil {
		return err
	}
	f, err := os.OpenFile(dir, os.O_CREATE|os.O_RDONLY, 0o644)
	if err != nil {
		return err
	}
	return f.Close()
}

func (m *mount) ended() bool { return m.over.Load() }

// idle says that the server is gone.
func (m *mount) idle() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.streams) == 0
}

// end lets everybody who waits go.
func (m *mount) end() {
	m.over.Store(true)
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, w := range m.streams {
		_ = w.stream.Close()
	}
	m.changed.Broadcast()
}

// close unmounts. What is open there fails from now on.
func (m *mount) close() {
	_ = unix.Unmount(m.dir, unix.MNT_FORCE|unix.MNT_DETACH)
	m.end()
	m.replay.stop()
	_ = unix.Close(m.root)
	m.reading.Wait()
	_ = unix.Close(m.dev)
}

// read takes requests from the kernel and gives each to a stream.
func (m *mount) read() {
	defer m.reading.Done()
	buf := make([]byte, fusewire.MaxMessage)
	for !m.ended() {
		n, err := unix.Read(m.dev, buf)
		switch {
		case errors.Is(err, unix.EINTR) || errors.Is(err, unix.EAGAIN) || errors.Is(err, unix.ENOENT):
			continue // ENOENT: the request was interrupted before it was read
		case err != nil:
			m.end() // ENODEV: unmounted
			return
		}
		msg := buf[:n]
		h, body, err := fusewire.ParseHeader(msg)
		if err != nil {
			continue
		}
		if msg = m.replay.own(h, body, msg); msg != nil {
			m.send(h, msg)
		}
	}
}

// send gives a request to the stream with the least to do, and waits while there is none.
func (m *mount) send(h fusewire.Header, msg []byte) {
	for {
		w := m.pick()
		if w == nil {
			return
		}
		if w.send(h, msg) == nil {
			return
		}
	}
}

func (m *mount) pick() *worker {
	m.mu.Lock()
	defer m.mu.Unlock()
	for {
		if m.ended() {
			return nil
		}
		var best *worker
		for _, w := range m.streams {
			if best == nil || w.load.Load() < best.load.Load() {
				best = w
			}
		}
		if best != nil {
			return best
		}
		m.changed.Wait()
	}
}

// write hands an answer or a notification to the kernel.
func (m *mount) write(msg []byte) error {
	for {
		_, err := unix.Write(m.dev, msg)
		if !errors.Is(err, unix.EINTR) {
			return err
		}
	}
}

func (m *mount) fail(unique uint64, errno fusewire.Errno) {
	_ = m.write(fusewire.SealReply(make([]byte, fusewire.ReplyHeader), unique, errno))
}
