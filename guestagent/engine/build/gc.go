//go:build linux

package build

import (
	"time"

	"github.com/moby/buildkit/client"
	"golang.org/x/sys/unix"
)

// The build cache's bounds: shares of the disk that it lies on, in percent, as docker has them.
const (
	reservedPercent = 10
	usedPercent     = 80
	freePercent     = 20
	// fallbackReserved is what may stay where the disk's size is unknown, in bytes.
	fallbackReserved = 2_000_000_000
	// minVolatile is what may stay in any case of what is made again with ease, in bytes.
	minVolatile = 512_000_000
	// volatileShare is its share of what is reserved, in percent.
	volatileShare = 14
)

// gcPolicy says what of the cache goes by itself: first what is made again with ease and was not used for two days,
// then what was not used for sixty, then what is above the bounds.
func gcPolicy(dir string) []client.PruneInfo {
	bounds := client.PruneInfo{ReservedSpace: fallbackReserved}
	var fs unix.Statfs_t
	if unix.Statfs(dir, &fs) == nil {
		total := int64(fs.Blocks) * fs.Bsize
		bounds.ReservedSpace, bounds.MaxUsedSpace, bounds.MinFreeSpace = share(total, reservedPercent), share(total, usedPercent), share(total, freePercent)
	}
	old, all := bounds, bounds
	old.KeepDuration, all.All = 60*24*time.Hour, true
	return []client.PruneInfo{
		{
			Filter:       []string{"type==source.local,type==exec.cachemount,type==source.git.checkout"},
			KeepDuration: 48 * time.Hour,
			MaxUsedSpace: max(bounds.ReservedSpace*volatileShare/100, minVolatile),
		},
		old, bounds, all,
	}
}

// share is a part of a disk, rounded up to whole gigabytes.
func share(total int64, percent int64) int64 {
	return (total*percent/100/(1<<30) + 1) * 1_000_000_000
}
