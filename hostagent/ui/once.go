package ui

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"sync"
	"time"
)

const (
	onceLife    = 2 * time.Minute // of a token in a redirect file
	ticketLife  = time.Minute     // of a download's address
	sessionLife = 12 * time.Hour  // of a tab's token, since it was last used
	mostTokens  = 256             // of a kind; the oldest goes
)

// tokens are secrets of one kind and what each stands for. Only their digests are kept, so that the time a look-up takes
// tells nothing of a token.
type tokens[T any] struct {
	life time.Duration
	now  func() time.Time

	mu   sync.Mutex
	have map[[sha256.Size]byte]entry[T]
}

type entry[T any] struct {
	value T
	until time.Time
}

func newTokens[T any](life time.Duration, now func() time.Time) *tokens[T] {
	return &tokens[T]{life: life, now: now, have: map[[sha256.Size]byte]entry[T]{}}
}

// issue makes a token of 256 random bits.
func (t *tokens[T]) issue(value T) string {
	var raw [32]byte
	_, _ = rand.Read(raw[:]) // never fails: the program would end
	token := base64.RawURLEncoding.EncodeToString(raw[:])
	t.mu.Lock()
	defer t.mu.Unlock()
	t.sweep()
	t.have[sha256.Sum256([]byte(token))] = entry[T]{value, t.now().Add(t.life)}
	return token
}

// sweep drops what is over, and the oldest where there are too many.
func (t *tokens[T]) sweep() {
	var oldest [sha256.Size]byte
	var when time.Time
	for k, e := range t.have {
		if !t.now().Before(e.until) {
			delete(t.have, k)
		} else if when.IsZero() || e.until.Before(when) {
			oldest, when = k, e.until
		}
	}
	if len(t.have) >= mostTokens {
		delete(t.have, oldest)
	}
}

// use says whether the token is good and makes its life begin anew.
func (t *tokens[T]) use(token string) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	k := sha256.Sum256([]byte(token))
	e, ok := t.have[k]
	if !ok || !t.now().Before(e.until) {
		delete(t.have, k)
		return false
	}
	e.until = t.now().Add(t.life)
	t.have[k] = e
	return true
}

// spend takes a token: it is good no second time.
func (t *tokens[T]) spend(token string) (T, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	k := sha256.Sum256([]byte(token))
	e, ok := t.have[k]
	delete(t.have, k)
	if !ok || !t.now().Before(e.until) {
		var none T
		return none, false
	}
	return e.value, true
}
