package streams

// detacher finds a key sequence in what a client types. It holds back bytes that may be the sequence's beginning.
type detacher struct {
	keys []byte
	held int // how many bytes of keys the input so far ends in
}

// feed gives what is to be passed on, and whether the sequence is complete; what follows it is dropped.
func (d *detacher) feed(p []byte) (out []byte, detached bool) {
	if len(d.keys) == 0 {
		return p, false
	}
	out = make([]byte, 0, len(p)+d.held)
	for _, b := range p {
		for b != d.keys[d.held] && d.held > 0 {
			out = d.release(out)
		}
		if b != d.keys[d.held] {
			out = append(out, b)
			continue
		}
		if d.held++; d.held == len(d.keys) {
			d.held = 0
			return out, true
		}
	}
	return out, false
}

// release passes on the first bytes held, as few as leave a beginning of the sequence.
func (d *detacher) release(out []byte) []byte {
	for n := 1; ; n++ {
		if string(d.keys[n:d.held]) == string(d.keys[:d.held-n]) {
			out = append(out, d.keys[:n]...)
			d.held -= n
			return out
		}
	}
}
