package journal

import (
	"fmt"
	"io"
	"os"
	"sync/atomic"
	"unsafe"

	"golang.org/x/sys/unix"
)

// A journal is one header page, then for each stream two halves that take turns. A half has room for what a line's
// beginning can leave over and one read.
const (
	// Window is how much one read may take, in bytes: what a pipe holds by default.
	Window = 64 << 10
	// MaxRest is the longest piece of a line that stays until its end has come, in bytes.
	MaxRest = 16 << 10

	header = 4 << 10
	half   = Window + MaxRest
	size   = header + 4*half
)

// Words of the header. A stream's word is half<<63 | start<<31 | end: the bytes from start to end of that half were
// read and are not in the log.
const (
	wordStreams = 0 // two
	wordWriting = 2 // 0, or 1 + the stream whose entries are being written
	wordOffset  = 3 // the log's size before, in bytes
	wordLength  = 4 // what is being written, in bytes
	wordBefore  = 5 // the stream's word before
	wordAfter   = 6 // and when it is written
)

// Journal is the memory of one log. It has two streams, which may be used at the same time.
type Journal struct {
	file    *os.File
	mem     []byte
	streams [2]Stream
}

// New makes an empty journal.
func New() (*Journal, error) {
	fd, err := unix.MemfdCreate("berth-journal", unix.MFD_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("making a journal: %w", err)
	}
	f := os.NewFile(uintptr(fd), "journal")
	if err := unix.Ftruncate(fd, size); err != nil {
		f.Close()
		return nil, fmt.Errorf("making a journal: %w", err)
	}
	return open(f)
}

func open(f *os.File) (*Journal, error) {
	mem, err := unix.Mmap(int(f.Fd()), 0, size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("mapping a journal: %w", err)
	}
	j := &Journal{file: f, mem: mem}
	for n := range j.streams {
		j.streams[n] = Stream{j: j, n: n}
	}
	return j, nil
}

// File is the memory as a descriptor, to be kept for a successor. It stays the journal's.
func (j *Journal) File() *os.File { return j.file }

// Close lets go of the memory. Its streams must not be used any more.
func (j *Journal) Close() error {
	mem := j.mem
	j.mem = nil
	if mem == nil {
		return nil
	}
	j.file.Close()
	return unix.Munmap(mem)
}

func (j *Journal) word(i int) *atomic.Uint64 { return (*atomic.Uint64)(unsafe.Pointer(&j.mem[i*8])) }

// Stream gives stream 0 or 1.
func (j *Journal) Stream(n int) *Stream { return &j.streams[n] }

// Recover opens the journal of a supervisor that died, and brings it and the log to one state. log is the current log
// file's path; it need not exist.
func Recover(f *os.File, log string) (*Journal, error) {
	st, err := f.Stat()
	if err == nil && st.Size() != size {
		err = fmt.Errorf("a journal has %d bytes, not %d", st.Size(), size)
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	j, err := open(f)
	if err != nil {
		return nil, err
	}
	if err := j.settle(log); err != nil {
		j.Close()
		return nil, err
	}
	for n := range 2 {
		if err := j.Stream(n).recover(); err != nil {
			j.Close()
			return nil, err
		}
	}
	return j, nil
}

// settle finishes a write that was under way: what is whole counts as written, what is not is taken back.
func (j *Journal) settle(log string) error {
	n := int(j.word(wordWriting).Load()) - 1
	if n != 0 && n != 1 {
		return nil
	}
	s := j.word(wordStreams + n)
	if s.Load() == j.word(wordBefore).Load() {
		offset := int64(j.word(wordOffset).Load())
		st, err := os.Stat(log)
		switch {
		case err != nil || st.Size() <= offset: // nothing of it was written
		case st.Size() >= offset+int64(j.word(wordLength).Load()):
			s.Store(j.word(wordAfter).Load())
		default:
			if err := os.Truncate(log, offset); err != nil {
				return fmt.Errorf("taking back half an entry: %w", err)
			}
		}
	}
	j.word(wordWriting).Store(0)
	return nil
}

// at is where a half of a stream begins.
func at(stream, which int) int { return header + (2*stream+which)*half }

// scan tells how far past end a read has filled a half. It reads the file, not the mapping: holes stay holes.
func (j *Journal) scan(stream, which, end int) (int, error) {
	buf := make([]byte, half-end)
	if _, err := j.file.ReadAt(buf, int64(at(stream, which)+end)); err != nil && err != io.EOF {
		return 0, fmt.Errorf("reading a journal: %w", err)
	}
	n := len(buf)
	for n > 0 && buf[n-1] == 0 {
		n--
	}
	return end + n, nil
}

// wipe makes a half of a stream zero and gives its memory back.
func (j *Journal) wipe(stream, which int) error {
	err := unix.Fallocate(int(j.file.Fd()), unix.FALLOC_FL_PUNCH_HOLE|unix.FALLOC_FL_KEEP_SIZE, int64(at(stream, which)), half)
	if err != nil {
		return fmt.Errorf("clearing a journal: %w", err)
	}
	return nil
}
