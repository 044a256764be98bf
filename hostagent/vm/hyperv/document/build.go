package document

import "fmt"

// Build is a build of Windows, as in 10.0.BUILD.
type Build int

// The builds that matter, by the release that began with each.
const (
	Windows1809 Build = 17763 // Windows 10 1809, Server 2019: the first with computecore.dll
	Windows1903 Build = 18362 // boots Linux directly
	Windows2004 Build = 19041
	Server2022  Build = 20348
	Windows11   Build = 22000
)

// Schema is the newest version of the document that a build takes.
func (b Build) Schema() Version {
	switch {
	case b >= Windows11:
		return Version{2, 7}
	case b >= Server2022:
		return Version{2, 5}
	case b >= Windows2004:
		return Version{2, 3}
	case b >= Windows1903:
		return Version{2, 2}
	}
	return Version{2, 1}
}

// check refuses a Windows that cannot run berth's machine at all.
func (b Build) check(arch string) error {
	switch {
	case b < Windows1809:
		return &UnfitError{b, "berth's machine needs Windows 10 1809 or later"}
	case arch == "amd64" && b < Windows1903:
		return &UnfitError{b, "berth's machine needs Windows 10 1903 or later"}
	}
	return nil
}

// UnfitError says that this Windows is too old.
type UnfitError struct {
	Build Build
	Need  string
}

func (e *UnfitError) Error() string {
	return fmt.Sprintf("this is Windows build %d: %s", e.Build, e.Need)
}
