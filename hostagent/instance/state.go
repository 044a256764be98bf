package instance

import (
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"runtime"

	"github.com/berthhq/berth/internal/errdefs"
	"github.com/berthhq/berth/internal/machineapi"
)

// version is that of the state file. A later berth raises it where an older one would misread the file.
const version = 1

// State is the state file.
type State struct {
	Version  int                 `json:"version"`
	Settings machineapi.Settings `json:"settings"`
	// Proven is the accelerator under which the guest last answered, by driver and what the driver runs on: it is tried
	// first, and alone where Hopeless names the better ones.
	Proven string `json:"proven,omitempty"`
	// Hopeless are accelerators that the driver offered and under which the guest did not answer, each with the host's
	// kernel that this was seen on: another kernel is another chance.
	Hopeless map[string]string `json:"hopeless,omitempty"`
	// Image is the digest of the boot image that last answered, Before that of the one it replaced.
	Image  string `json:"image,omitempty"`
	Before string `json:"before,omitempty"`
	// Unfit is an image that did not answer where Image did: it is not tried again.
	Unfit string `json:"unfit,omitempty"`
	// Ended is how the machine last ended, where that was not by a person's wish.
	Ended string `json:"ended,omitempty"`
}

// Bounds and defaults of settings.
const (
	MinMemory   = 256 << 20
	memoryGrain = 2 << 20
	MinDisk     = 1 << 30
	MaxDisk     = 16 << 40 // ext4 with 4 KiB blocks
	defaultDisk = 64 << 30
	defaultMem  = 2 << 30
)

// Defaults are the settings of a machine that nobody chose any for: half of the processors, 2 GiB, a disk of 64 GiB that
// takes up what is on it.
func Defaults(driver string) machineapi.Settings {
	return machineapi.Settings{Driver: driver, CPUs: max(1, runtime.NumCPU()/2), Memory: defaultMem, Disk: defaultDisk}
}

// Merge puts what was asked for over what is, and checks it. Errors: Invalid.
func Merge(is, want machineapi.Settings) (machineapi.Settings, error) {
	if want.Driver != "" {
		is.Driver = want.Driver
	}
	if want.CPUs != 0 {
		is.CPUs = want.CPUs
	}
	if want.Memory != 0 {
		is.Memory = want.Memory
	}
	if want.Shares != "" {
		is.Shares = want.Shares
	}
	switch {
	case is.CPUs < 1 || is.CPUs > runtime.NumCPU():
		return is, errdefs.Invalid("%d cpus: this machine has %d", is.CPUs, runtime.NumCPU())
	case is.Memory < MinMemory || is.Memory%memoryGrain != 0:
		return is, errdefs.Invalid("memory of %d bytes: at least %d MiB, in steps of 2 MiB", is.Memory, MinMemory>>20)
	case want.Disk != 0 && want.Disk < is.Disk:
		return is, errdefs.Invalid("a disk of %d bytes is smaller than the present %d: a disk does not shrink", want.Disk, is.Disk).
			WithHint("berth machine reset begins with a new one; everything in the machine is lost with it")
	}
	if want.Disk != 0 {
		is.Disk = want.Disk
	}
	if is.Disk < MinDisk || is.Disk > MaxDisk {
		return is, errdefs.Invalid("a disk of %d bytes: 1 GiB to 16 TiB are possible", is.Disk)
	}
	return is, nil
}

// read reads the state file; fs.ErrNotExist where there is none. Errors name the file: what is in it is not guessed.
func read(file string) (State, error) {
	var s State
	b, err := os.ReadFile(file)
	if err != nil {
		return s, err
	}
	if err := json.Unmarshal(b, &s); err != nil {
		return s, errdefs.System("%s cannot be read: %w", file, err).
			WithHint("Remove it and start again: settings go back to their defaults, the machine's data stays.")
	}
	if s.Version > version {
		return s, errdefs.Conflict("%s was written by a newer berth (version %d, this one knows %d)", file, s.Version, version).
			WithHint("Update berth.")
	}
	return s, nil
}

// write replaces the state file; after a crash there is the old one or the new one.
func write(file string, s State) error {
	s.Version = version
	b, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return err
	}
	next := file + ".new"
	f, err := os.OpenFile(next, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(append(b, '\n'))
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	return os.Rename(next, file)
}

// Exists says whether a machine was ever set up in a directory, without its lock.
func Exists(file string) bool {
	_, err := os.Stat(file)
	return err == nil || !errors.Is(err, fs.ErrNotExist)
}
