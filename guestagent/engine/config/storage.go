package config

import "fmt"

// drivers are the values of storage-driver and what each means. overlay2 is docker's name of overlayfs with directories.
var drivers = map[string]string{"": "", "overlayfs": "overlayfs", "overlay2": "overlayfs", "erofs": "erofs"}

// Driver is what the layers of a new state directory are to be kept as; "" leaves it to the directory, or to the engine.
func (p *Paths) Driver() string { return drivers[p.StorageDriver] }

// CheckDriver refuses a storage-driver that there is not.
func (p *Paths) CheckDriver() error {
	if _, ok := drivers[p.StorageDriver]; !ok {
		return fmt.Errorf("storage-driver: %q is not one of overlayfs, overlay2 (the same), erofs", p.StorageDriver)
	}
	return nil
}
