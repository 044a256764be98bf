package guestagent

import (
	"errors"
	"fmt"
	"strings"
	"syscall"
)

// moduleList is the file that names the modules of a directory in load order, written by vmimage/kernel: a line each of
// stage, name and the names of those that must be loaded before it.
const moduleList = "order"

// module is one line of a moduleList.
type module struct {
	stage, name string
	needs       []string
}

func parseModules(list string) ([]module, error) {
	var out []module
	seen := map[string]bool{}
	for i, line := range strings.Split(strings.TrimRight(list, "\n"), "\n") {
		f := strings.Fields(line)
		if len(f) < 2 {
			return nil, fmt.Errorf("line %d of the module list: %q is no stage and name", i+1, line)
		}
		m := module{stage: f[0], name: f[1], needs: f[2:]}
		for _, n := range m.needs {
			if !seen[n] {
				return nil, fmt.Errorf("line %d of the module list: %s wants %s, which does not come before it", i+1, m.name, n)
			}
		}
		if seen[m.name] {
			return nil, fmt.Errorf("line %d of the module list: %s is there twice", i+1, m.name)
		}
		seen[m.name] = true
		out = append(out, m)
	}
	return out, nil
}

// loader loads modules by stages. What a hypervisor has no device for fails with ENODEV, and what needs it is left out.
type loader struct {
	modules []module
	absent  map[string]bool
	insert  func(name string) error // nil or ErrExist: it is there
}

// stage loads the modules of one stage. The error names those that failed for another reason than a missing device.
func (l *loader) stage(name string) error {
	var faults []string
	for _, m := range l.modules {
		if m.stage != name {
			continue
		}
		if l.lacks(m) {
			l.absent[m.name] = true
			continue
		}
		if err := l.insert(m.name); err != nil {
			l.absent[m.name] = true
			if !noDevice(err) {
				faults = append(faults, m.name+": "+err.Error())
			}
		}
	}
	if len(faults) > 0 {
		return fmt.Errorf("kernel modules of stage %s: %s", name, strings.Join(faults, "; "))
	}
	return nil
}

func (l *loader) lacks(m module) bool {
	for _, n := range m.needs {
		if l.absent[n] {
			return true
		}
	}
	return false
}

func noDevice(err error) bool { return errors.Is(err, syscall.ENODEV) }
