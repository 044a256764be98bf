package runflags

import (
	"fmt"

	"github.com/docker/cli/opts"
	"github.com/moby/moby/api/types/container"
	"github.com/spf13/pflag"
)

// storageFlags are the log and the storage driver.
type storageFlags struct {
	driver        string
	logs, storage opts.ListOpts
}

func (s *storageFlags) add(fs *pflag.FlagSet) {
	s.logs = opts.NewListOpts(nil)
	s.storage = opts.NewListOpts(nil)
	fs.StringVar(&s.driver, "log-driver", "", "Logging driver for the container")
	fs.Var(&s.logs, "log-opt", "Log driver options")
	fs.Var(&s.storage, "storage-opt", "Storage driver options for the container")
}

func (s *storageFlags) apply(_ *pflag.FlagSet, spec *Spec) error {
	if s.driver == "none" && s.logs.Len() > 0 {
		return fmt.Errorf("invalid logging opts for driver %s", s.driver)
	}
	spec.HostConfig.LogConfig = container.LogConfig{Type: s.driver, Config: opts.ConvertKVStringsToMap(s.logs.GetSlice())}
	var err error
	spec.HostConfig.StorageOpt, err = keyValues(s.storage.GetSlice(), "invalid storage option")
	return err
}
