package sharerelay

import (
	"bufio"
	"errors"
	"io"
	"os"
	"sync"

	"golang.org/x/sys/unix"

	"github.com/berthhq/berth/internal/fusewire"
)

// invalidating bounds how many notifications wait for the kernel's locks at once.
const invalidating = 32

// notifications carries out what the host tells until the stream ends or the host says that the share does. One that must wait for a lock in the kernel does
// not hold up the others.
func (m *mount) notifications(s Stream) (end bool, err error) {
	var acks sync.Mutex
	ack := func(id uint64, err error) {
		a := fusewire.Ack{ID: id}
		var n unix.Errno
		if errors.As(err, &n) {
			a.Error = fusewire.Errno(n)
		}
		acks.Lock()
		defer acks.Unlock()
		_ = a.Write(s)
	}
	slots := make(chan struct{}, invalidating)
	var busy sync.WaitGroup
	defer busy.Wait()
	in := bufio.NewReaderSize(s, 32<<10)
	for {
		f, err := fusewire.ReadFrame(in)
		if err != nil {
			if m.ended() || errors.Is(err, io.EOF) {
				return false, nil
			}
			return false, err
		}
		switch f.Kind {
		case fusewire.FrameRaw:
			slots <- struct{}{}
			busy.Add(1)
			go func() {
				defer busy.Done()
				ack(f.ID, m.write(f.Body))
				<-slots
			}()
		case fusewire.FrameEvent:
			e, err := fusewire.ParseEvent(f.Body)
			if err == nil {
				m.replay.add(e)
			}
			ack(f.ID, err)
		case fusewire.FrameForget:
			busy.Add(1)
			go func() { defer busy.Done(); ack(f.ID, forgetNames()) }() // seconds, in a guest that is busy
		case fusewire.FrameEnd:
			ack(f.ID, nil)
			return true, nil
		}
	}
}

// forgetNames drops the names that the kernel remembers as missing, which the server cannot name. FUSE's own message for
// it (INC_EPOCH) would detach what is mounted below a share.
func forgetNames() error {
	const dentriesAndInodes = "2"
	return os.WriteFile("/proc/sys/vm/drop_caches", []byte(dentriesAndInodes), 0)
}
