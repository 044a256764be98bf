package vm

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Proof says how machines are started until one is known to work: an accelerator that is there may still hang, and the
// hypervisor does not tell. What Prove found is for the Agent to remember.
type Proof struct {
	// Wait bounds how long a guest may take until it answers; Emulation is given Patience instead.
	Wait, Patience time.Duration
	// Answers returns once the guest has answered, or with an error.
	Answers func(context.Context, Machine) error
	// GivenUp is told of each accelerator that did not work, and why. May be nil.
	GivenUp func(Accelerator, error)
}

// Prove starts the machine with the first of the accelerators under which its guest answers. A machine whose guest does
// not is killed before the next is tried. Config.Accelerator of the machine is in the answer.
func (p Proof) Prove(ctx context.Context, d Driver, c Config, files Files, try []Accelerator) (Machine, Accelerator, error) {
	var all []error
	for _, accel := range try {
		c.Accelerator = accel
		m, err := p.start(ctx, d, c, files)
		if err == nil {
			return m, accel, nil
		}
		all = append(all, fmt.Errorf("%s: %w", accel, err))
		if ctx.Err() != nil || errors.Is(err, ErrRunning) {
			break
		}
		if p.GivenUp != nil {
			p.GivenUp(accel, err)
		}
	}
	if len(all) == 0 {
		all = append(all, errors.New("no accelerator to try"))
	}
	return nil, "", fmt.Errorf("starting virtual machine %s: %w", c.Name, errors.Join(all...))
}

func (p Proof) start(ctx context.Context, d Driver, c Config, files Files) (Machine, error) {
	m, err := d.Start(ctx, c, files)
	if err != nil {
		return nil, err
	}
	wait := p.Wait
	if c.Accelerator == Emulation {
		wait = p.Patience
	}
	bounded, cancel := context.WithTimeoutCause(ctx, wait, fmt.Errorf("the guest did not answer within %s", wait))
	defer cancel()
	go func() {
		select {
		case <-m.Done():
			cancel()
		case <-bounded.Done():
		}
	}()
	if err = p.Answers(bounded, m); err == nil {
		return m, nil
	}
	select {
	case <-m.Done():
		err = fmt.Errorf("the virtual machine ended: %s", m.Exit())
	default:
		if cause := context.Cause(bounded); cause != nil {
			err = cause
		}
	}
	killing, done := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer done()
	return nil, errors.Join(err, m.Kill(killing), m.Close())
}
