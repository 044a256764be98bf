package watch

import (
	"errors"
	"fmt"
	"os"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// Watcher watches directories, and files that have several names.
type Watcher struct {
	fd   int
	file *os.File // of fd
	tell Func
	done chan struct{}

	mu     sync.Mutex
	marks  map[uint64]mark
	byFile map[string]uint64 // by file system and handle
	limit  int
}

// mark keeps what is watched open, so that the watch can be ended.
type mark struct {
	fd   int
	file string
	mask uint64
}

const (
	dirMask = unix.FAN_CREATE | unix.FAN_DELETE | unix.FAN_MODIFY | unix.FAN_ATTRIB | unix.FAN_RENAME | unix.FAN_CLOSE_WRITE |
		unix.FAN_ONDIR | unix.FAN_EVENT_ON_CHILD
	fileMask = unix.FAN_MODIFY | unix.FAN_ATTRIB
)

// New starts to watch nothing yet. Changes are gathered for gather before they are told, in which the kernel merges
// equal ones.
func New(tell Func) (*Watcher, error) {
	flags := uint(unix.FAN_CLASS_NOTIF | unix.FAN_CLOEXEC | unix.FAN_NONBLOCK | unix.FAN_REPORT_DFID_NAME | unix.FAN_REPORT_FID)
	fd, err := unix.FanotifyInit(flags, unix.O_RDONLY|unix.O_CLOEXEC)
	if errors.Is(err, unix.ENOSYS) || errors.Is(err, unix.EPERM) || errors.Is(err, unix.EINVAL) {
		return nil, errors.ErrUnsupported
	}
	if err != nil {
		return nil, fmt.Errorf("watching shared directories: %w", err)
	}
	w := &Watcher{
		fd: fd, file: os.NewFile(uintptr(fd), "fanotify"), tell: tell, done: make(chan struct{}),
		marks: map[uint64]mark{}, byFile: map[string]uint64{}, limit: limit(),
	}
	go w.loop()
	return w, nil
}

// limit leaves half of the descriptors to open files.
func limit() int {
	var r unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &r); err != nil {
		return 512
	}
	return int(min(r.Cur/2, 1<<20))
}

// Add watches the directory or file that path leads to as id. What it returns nil for is told of from now on.
func (w *Watcher) Add(path string, id uint64, dir bool) error {
	fd, err := unix.Open(path, unix.O_PATH|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	file, err := handleOf(fd)
	if err != nil {
		_ = unix.Close(fd)
		return err
	}
	m := mark{fd: fd, file: file, mask: fileMask}
	if dir {
		m.mask = dirMask
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if _, had := w.marks[id]; had || len(w.marks) >= w.limit {
		_ = unix.Close(fd)
		return unix.ENOSPC
	}
	if err := unix.FanotifyMark(w.fd, unix.FAN_MARK_ADD, m.mask, unix.AT_FDCWD, path); err != nil {
		_ = unix.Close(fd)
		return err
	}
	w.marks[id], w.byFile[file] = m, id
	return nil
}

// Remove ends a watch.
func (w *Watcher) Remove(id uint64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	m, ok := w.marks[id]
	if !ok {
		return
	}
	_ = unix.FanotifyMark(w.fd, unix.FAN_MARK_REMOVE, m.mask, unix.AT_FDCWD, fmt.Sprintf("/proc/self/fd/%d", m.fd))
	_ = unix.Close(m.fd)
	delete(w.marks, id)
	if w.byFile[m.file] == id {
		delete(w.byFile, m.file)
	}
}

// Close ends all.
func (w *Watcher) Close() error {
	err := w.file.Close()
	<-w.done
	w.mu.Lock()
	defer w.mu.Unlock()
	for id, m := range w.marks {
		_ = unix.Close(m.fd)
		delete(w.marks, id)
	}
	return err
}

func (w *Watcher) id(file []byte) uint64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.byFile[string(file)]
}

// handleOf is how events name a file: its file system's number and its handle.
func handleOf(fd int) (string, error) {
	var st unix.Statfs_t
	if err := unix.Fstatfs(fd, &st); err != nil {
		return "", err
	}
	h, _, err := unix.NameToHandleAt(fd, "", unix.AT_EMPTY_PATH)
	if err != nil {
		return "", err
	}
	return fileKey(st.Fsid.Val, h.Type(), h.Bytes()), nil
}

const gather = 2 * time.Millisecond

func (w *Watcher) loop() {
	defer close(w.done)
	buf := make([]byte, 256<<10)
	pid := int32(os.Getpid())
	for {
		n, err := w.file.Read(buf)
		if err != nil {
			return
		}
		changes, lost := w.parse(buf[:n], pid)
		if len(changes) > 0 || lost {
			w.tell(changes, lost)
			time.Sleep(gather)
		}
	}
}
