package runflags

import (
	"github.com/docker/cli/opts"
	"github.com/spf13/pflag"
)

// blockIOFlags limit disks.
type blockIOFlags struct {
	weight                                 uint16
	weightDevice                           opts.WeightdeviceOpt
	readBps, writeBps, readIOps, writeIOps opts.ThrottledeviceOpt
	maxBandwidth                           opts.MemBytes
	maxIOps                                uint64
}

func (b *blockIOFlags) add(fs *pflag.FlagSet) {
	b.weightDevice = opts.NewWeightdeviceOpt(opts.ValidateWeightDevice)
	b.readBps = opts.NewThrottledeviceOpt(opts.ValidateThrottleBpsDevice)
	b.writeBps = opts.NewThrottledeviceOpt(opts.ValidateThrottleBpsDevice)
	b.readIOps = opts.NewThrottledeviceOpt(opts.ValidateThrottleIOpsDevice)
	b.writeIOps = opts.NewThrottledeviceOpt(opts.ValidateThrottleIOpsDevice)
	fs.Uint16Var(&b.weight, "blkio-weight", 0, "Block IO (relative weight), between 10 and 1000, or 0 to disable (default 0)")
	fs.Var(&b.weightDevice, "blkio-weight-device", "Block IO weight (relative device weight)")
	fs.Var(&b.readBps, "device-read-bps", "Limit read rate (bytes per second) from a device")
	fs.Var(&b.readIOps, "device-read-iops", "Limit read rate (IO per second) from a device")
	fs.Var(&b.writeBps, "device-write-bps", "Limit write rate (bytes per second) to a device")
	fs.Var(&b.writeIOps, "device-write-iops", "Limit write rate (IO per second) to a device")
	fs.Var(&b.maxBandwidth, "io-maxbandwidth", "Maximum IO bandwidth limit for the system drive (Windows only)")
	fs.Uint64Var(&b.maxIOps, "io-maxiops", 0, "Maximum IOps limit for the system drive (Windows only)")
	hide(fs, "io-maxbandwidth", "io-maxiops")
}

func (b *blockIOFlags) apply(_ *pflag.FlagSet, spec *Spec) error {
	r := &spec.HostConfig.Resources
	r.BlkioWeight, r.BlkioWeightDevice = b.weight, b.weightDevice.GetList()
	r.BlkioDeviceReadBps, r.BlkioDeviceWriteBps = b.readBps.GetList(), b.writeBps.GetList()
	r.BlkioDeviceReadIOps, r.BlkioDeviceWriteIOps = b.readIOps.GetList(), b.writeIOps.GetList()
	r.IOMaximumIOps, r.IOMaximumBandwidth = b.maxIOps, uint64(b.maxBandwidth)
	return nil
}
