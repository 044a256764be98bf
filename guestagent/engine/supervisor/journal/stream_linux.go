package journal

import "sync/atomic"

// Stream is one stream's part of a journal. Space, Took and Pending belong to the one who reads the output; Begin and
// End come from its log, which has one writer at a time.
type Stream struct {
	j    *Journal
	n    int
	seen int // of what is pending since Recover, how much the predecessor had noted
}

func (s *Stream) state() *atomic.Uint64 { return s.j.word(wordStreams + s.n) }

func pack(which, start, end int) uint64 { return uint64(which)<<63 | uint64(start)<<31 | uint64(end) }

func unpack(w uint64) (which, start, end int) {
	const mask = 1<<31 - 1
	return int(w >> 63), int(w >> 31 & mask), int(w & mask)
}

func (s *Stream) half(which int) []byte {
	begin := at(s.n, which)
	return s.j.mem[begin : begin+half]
}

// Space is where the next read goes: Window bytes, all zero.
func (s *Stream) Space() []byte {
	which, start, end := unpack(s.state().Load())
	switch {
	case start == end && end > 0:
		clear(s.half(which)[:end])
		end = 0
		s.state().Store(pack(which, 0, 0))
	case end > MaxRest:
		// What is left of a line moves to the other half, which is zero; only then is this one cleared.
		rest := s.half(which)[start:end]
		rest = rest[max(0, len(rest)-MaxRest):]
		old := s.half(which)[:end]
		which = 1 - which
		end = copy(s.half(which), rest)
		s.state().Store(pack(which, 0, end))
		clear(old)
	}
	return s.half(which)[end : end+Window]
}

// Took notes that n bytes were read into Space.
func (s *Stream) Took(n int) {
	which, start, end := unpack(s.state().Load())
	s.state().Store(pack(which, start, end+n))
}

// Begin notes that entries of length bytes are about to be appended to the log, whose size is offset, and that rest
// bytes of what was read are not in them.
func (s *Stream) Begin(offset, length int64, rest int) {
	before := s.state().Load()
	which, start, end := unpack(before)
	s.j.word(wordOffset).Store(uint64(offset))
	s.j.word(wordLength).Store(uint64(length))
	s.j.word(wordBefore).Store(before)
	s.j.word(wordAfter).Store(pack(which, max(start, end-rest), end))
	s.j.word(wordWriting).Store(uint64(s.n) + 1)
}

// End notes that they were appended, or are given up.
func (s *Stream) End() {
	s.state().Store(s.j.word(wordAfter).Load())
	s.j.word(wordWriting).Store(0)
}

// Pending is what a predecessor has read and not logged, and how much of its end may be new to its clients too. It is
// valid until Space is called.
func (s *Stream) Pending() (unlogged []byte, unseen int) {
	which, start, end := unpack(s.state().Load())
	return s.half(which)[start:end], end - start - s.seen
}

// recover takes in a read that nobody noted, and clears what is of no use any more.
func (s *Stream) recover() error {
	which, start, end := unpack(s.state().Load())
	if start > end || end > half {
		which, start, end = 0, 0, 0
	}
	filled, err := s.j.scan(s.n, which, end)
	if err != nil {
		return err
	}
	s.seen = end - start
	s.state().Store(pack(which, start, filled))
	return s.j.wipe(s.n, 1-which)
}
