package guestagent

import (
	"errors"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// Where the image has its modules: those of stage "boot" in the initramfs, all others on the EROFS.
const (
	bootModules = "/modules"
	restModules = "/usr/lib/berth/modules"
)

// openModules reads the module list of a directory.
func openModules(dir string) (*loader, error) {
	b, err := os.ReadFile(filepath.Join(dir, moduleList))
	if err != nil {
		return nil, err
	}
	list, err := parseModules(string(b))
	if err != nil {
		return nil, err
	}
	return &loader{modules: list, absent: map[string]bool{}, insert: func(name string) error { return insert(dir, name) }}, nil
}

// elsewhere lets a loader go on in the next directory, whose list knows what was loaded of this one.
func (l *loader) elsewhere(dir string) error {
	next, err := openModules(dir)
	if err != nil {
		return err
	}
	l.modules, l.insert = next.modules, next.insert
	return nil
}

func insert(dir, name string) error {
	f, err := os.Open(filepath.Join(dir, name+".ko"))
	if err != nil {
		return err
	}
	defer f.Close()
	if err := unix.FinitModule(int(f.Fd()), "", 0); err != nil && !errors.Is(err, unix.EEXIST) {
		return err
	}
	return nil
}
