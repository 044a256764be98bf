package machine

import "time"

// resized tells when to look whether the terminal's size has changed, until end: Windows has no signal for it.
func resized() (changed <-chan time.Time, end func()) {
	t := time.NewTicker(250 * time.Millisecond)
	return t.C, t.Stop
}
