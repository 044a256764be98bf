package session

import (
	"context"
	"errors"
	"fmt"
)

// eachParallel bounds how many objects one command works on at a time.
const eachParallel = 50

// Each runs op on every name, many at a time, and prints the names that succeeded in the order given. The errors of
// the others are joined; each is expected to name its object.
func (s *Session) Each(ctx context.Context, names []string, op func(context.Context, string) error) error {
	results := make([]chan error, len(names))
	slots := make(chan struct{}, eachParallel)
	for i := range names {
		results[i] = make(chan error, 1)
	}
	go func() {
		for i, name := range names {
			slots <- struct{}{}
			go func() {
				results[i] <- op(ctx, name)
				<-slots
			}()
		}
	}()
	var errs []error
	for i, name := range names {
		if err := <-results[i]; err != nil {
			errs = append(errs, err)
			continue
		}
		if _, err := fmt.Fprintln(s.Out, name); err != nil {
			return err
		}
	}
	return errors.Join(errs...)
}
