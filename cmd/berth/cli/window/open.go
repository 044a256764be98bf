package window

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"runtime"
	"time"
)

// openWithin is how long the system's opener may take; browsers themselves go on after it.
const openWithin = 10 * time.Second

// open shows a file in the person's browser. Root's desktop is nobody's: there the link is shown instead.
func open(ctx context.Context, file string, getenv func(string) string) error {
	if os.Geteuid() == 0 {
		return errors.New("this is root, which has none")
	}
	name, args, err := opener(runtime.GOOS, file, getenv)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, openWithin)
	defer cancel()
	return exec.CommandContext(ctx, name, args...).Run()
}

// opener is the command that shows a file on an operating system.
func opener(goos, file string, getenv func(string) string) (string, []string, error) {
	switch {
	case goos == "darwin":
		return "open", []string{file}, nil
	case goos == "windows":
		return "rundll32", []string{"url.dll,FileProtocolHandler", file}, nil
	case getenv("DISPLAY") == "" && getenv("WAYLAND_DISPLAY") == "":
		return "", nil, errors.New("there is no display")
	}
	return "xdg-open", []string{file}, nil
}
