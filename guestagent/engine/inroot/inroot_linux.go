package inroot

import (
	"errors"
	"path"
	"strings"

	"golang.org/x/sys/unix"
)

// Open opens a path with root as its root: links, absolute ones and ".." too, stay inside (openat2(2)).
func Open(root int, name string, flags int, resolve uint64) (int, error) {
	if name = strings.TrimLeft(name, "/"); name == "" {
		name = "."
	}
	for {
		fd, err := unix.Openat2(root, name, &unix.OpenHow{
			Flags:   uint64(flags) | unix.O_CLOEXEC,
			Resolve: resolve | unix.RESOLVE_IN_ROOT | unix.RESOLVE_NO_MAGICLINKS,
		})
		if !errors.Is(err, unix.EAGAIN) && !errors.Is(err, unix.EINTR) { // EAGAIN: something was renamed meanwhile
			return fd, err
		}
	}
}

// maxLinks is how many links are followed while a path is made (path_resolution(7)).
const maxLinks = 40

// OpenOrMake opens a path inside root as O_PATH and creates what is missing of it, the last part as a directory or an
// empty file. A link to what does not exist is followed within the root, and its target made.
func OpenOrMake(root int, name string, dir bool) (int, error) {
	for range maxLinks {
		fd, next, err := descend(root, path.Clean("/"+name), dir)
		if next == "" || err != nil {
			return fd, err
		}
		name = next
	}
	return -1, unix.ELOOP
}

// descend opens or makes name part by part, always from the root, so that a link in the middle means what it means
// inside the container. Where it meets a link to nothing it gives the name to go on with.
func descend(root int, name string, dir bool) (fd int, next string, err error) {
	fd, err = Open(root, name, unix.O_PATH, 0)
	if !errors.Is(err, unix.ENOENT) {
		return fd, "", err
	}
	at, err := Open(root, ".", unix.O_PATH|unix.O_DIRECTORY, 0)
	if err != nil {
		return -1, "", err
	}
	parts := strings.Split(strings.Trim(name, "/"), "/")
	for i, part := range parts {
		fd, err := Open(root, strings.Join(parts[:i+1], "/"), unix.O_PATH, 0)
		if errors.Is(err, unix.ENOENT) {
			if link, ok := readLink(at, part); ok {
				unix.Close(at)
				if !path.IsAbs(link) {
					link = path.Join("/", path.Join(parts[:i]...), link)
				}
				return -1, path.Join(append([]string{link}, parts[i+1:]...)...), nil
			}
			fd, err = Make(at, part, dir || i < len(parts)-1)
		}
		unix.Close(at)
		if err != nil {
			return -1, "", err
		}
		at = fd
	}
	return at, "", nil
}

func readLink(at int, name string) (string, bool) {
	var buf [unix.PathMax]byte
	n, err := unix.Readlinkat(at, name, buf[:])
	return string(buf[:max(n, 0)]), err == nil
}

// Make makes a directory or an empty file, modes 0755 and 0644, in the directory that at is, and opens it as O_PATH. A
// directory that is there already will do.
func Make(at int, name string, dir bool) (int, error) {
	if dir {
		if err := unix.Mkdirat(at, name, 0o755); err != nil && !errors.Is(err, unix.EEXIST) {
			return -1, err
		}
		return unix.Openat(at, name, unix.O_PATH|unix.O_NOFOLLOW|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	}
	f, err := unix.Openat(at, name, unix.O_CREAT|unix.O_EXCL|unix.O_WRONLY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0o644)
	if err != nil {
		return -1, err
	}
	unix.Close(f)
	return unix.Openat(at, name, unix.O_PATH|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
}
