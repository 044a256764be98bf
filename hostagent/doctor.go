package hostagent

import (
	"context"
	"fmt"
	"strings"

	"github.com/berthhq/berth/internal/agentapi"
	"github.com/berthhq/berth/internal/errdefs"
	"github.com/berthhq/berth/internal/machineapi"
)

// Doctor looks at everything that a machine needs, and says of each whether it is well and what helps where it is not.
func (a *Agent) Doctor(ctx context.Context) []machineapi.Finding {
	if err := a.inst.Fault(); err != nil {
		return []machineapi.Finding{finding("", err)}
	}
	all := []machineapi.Finding{a.checkDriver(), a.checkImage(), a.checkEnd()}
	if r := a.left(); r != nil {
		all = append(all, checkGuest(ctx, r)...)
	}
	return all
}

func finding(well string, err error) machineapi.Finding {
	if err == nil {
		return machineapi.Finding{OK: true, Text: well}
	}
	return machineapi.Finding{Text: err.Error(), Help: errdefs.HintOf(err)}
}

func (a *Agent) checkDriver() machineapi.Finding {
	d, err := a.driver()
	if err != nil {
		return finding("", err)
	}
	try, err := a.accelerators(d)
	if err != nil {
		return finding("", err)
	}
	names := make([]string, len(try))
	for i, acc := range try {
		names[i] = string(acc)
	}
	return finding(fmt.Sprintf("The driver %s is there, with %s.", d.Name(), strings.Join(names, ", then ")), nil)
}

func (a *Agent) checkImage() machineapi.Finding {
	img, err := a.cfg.Images.Open(a.cfg.Digest)
	if err != nil {
		return finding("", err)
	}
	defer img.Close()
	return finding(fmt.Sprintf("The image %.12s is whole, with Linux %s.", img.Digest, img.Manifest.Kernel), nil)
}

func (a *Agent) checkEnd() machineapi.Finding {
	a.mu.Lock()
	state, reason := a.state, a.reason
	a.mu.Unlock()
	switch {
	case state == machineapi.Broken:
		return machineapi.Finding{Text: "The machine is broken: " + reason, Help: "berth machine restart; what it prints to its console: berth machine logs"}
	case reason != "":
		return machineapi.Finding{Text: "The machine ended: " + reason, Help: "berth machine start; its disk is checked at its start"}
	}
	return finding(fmt.Sprintf("The machine is %s.", state), nil)
}

// checkGuest asks the guest how it is.
func checkGuest(ctx context.Context, r *run) []machineapi.Finding {
	ctx, cancel := context.WithTimeout(ctx, describeWithin)
	defer cancel()
	var st agentapi.Status
	if err := r.link.Call(ctx, agentapi.OpStatus, nil, &st); err != nil {
		return []machineapi.Finding{{Text: fmt.Sprintf("The guest does not answer: %v.", err), Help: "berth machine restart"}}
	}
	var all []machineapi.Finding
	switch d := st.Disk; {
	case d.Fault != "":
		all = append(all, machineapi.Finding{Text: "The data disk cannot be used: " + d.Fault, Help: "berth machine reset begins with an empty one; everything in the machine is lost with it"})
	case d.Capacity > 0 && d.Free < d.Capacity/20:
		all = append(all, machineapi.Finding{Text: fmt.Sprintf("The data disk is nearly full: %d of %d MiB are free.", d.Free>>20, d.Capacity>>20), Help: "berth system prune, or berth machine set --disk"})
	default:
		all = append(all, finding(fmt.Sprintf("The data disk is well: %d of %d MiB are free.%s", d.Free>>20, d.Capacity>>20, repaired(d.Repaired)), nil))
	}
	for _, c := range st.Children {
		if c.Restarts > 0 {
			all = append(all, machineapi.Finding{Text: fmt.Sprintf("%s was started again %d times; it last ended with: %s.", c.Name, c.Restarts, c.LastExit), Help: "berth machine logs"})
		}
	}
	return append(all, checkEngine(st.Engine))
}

func repaired(how string) string {
	if how == "" {
		return ""
	}
	return " It was repaired at this start: " + how
}

func checkEngine(answers bool) machineapi.Finding {
	if !answers {
		return machineapi.Finding{Text: "The engine in the machine does not answer.", Help: "berth machine logs"}
	}
	return finding("The engine in the machine answers.", nil)
}
