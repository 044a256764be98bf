// Package inputs is what the image is made from: files of public mirrors, each pinned by size and SHA-256, fetched once
// into a cache. Nothing else comes from outside.
package inputs

import (
	"context"
	"crypto/sha256"
	_ "embed"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"os"
	"path"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// List is the file that pins them, and its name for messages.
const listName = "vmimage/inputs/inputs.txt"

//go:embed inputs.txt
var list string

// Input is one line of the list.
type Input struct {
	Name   string
	Arch   string // as GOARCH, or "all"
	Size   int64
	SHA256 string
	URL    string
	line   int
}

// Find gives the input of a name for an architecture.
func Find(name, arch string) (Input, error) {
	all, err := parse(list)
	if err != nil {
		return Input{}, err
	}
	for _, in := range all {
		if in.Name == name && (in.Arch == arch || in.Arch == "all") {
			return in, nil
		}
	}
	return Input{}, fmt.Errorf("%s names no %s for %s", listName, name, arch)
}

func parse(text string) ([]Input, error) {
	var out []Input
	for i, line := range strings.Split(text, "\n") {
		f := strings.Fields(line)
		if len(f) == 0 || strings.HasPrefix(f[0], "#") {
			continue
		}
		if len(f) != 5 {
			return nil, fmt.Errorf("%s:%d: %d columns, not 5", listName, i+1, len(f))
		}
		size, err := strconv.ParseInt(f[2], 10, 64)
		if sum, e := hex.DecodeString(f[3]); err != nil || e != nil || len(sum) != sha256.Size {
			return nil, fmt.Errorf("%s:%d: size %q or SHA-256 %q is none", listName, i+1, f[2], f[3])
		}
		out = append(out, Input{Name: f[0], Arch: f[1], Size: size, SHA256: f[3], URL: f[4], line: i + 1})
	}
	return out, nil
}

// Fetch gives the path of the input below the cache, after its size and digest were checked; it is fetched where it is
// not there. The error of an input that is gone names the line to change.
func (in Input) Fetch(ctx context.Context, cache string) (string, error) {
	file := filepath.Join(cache, in.SHA256[:16]+"-"+path.Base(in.URL))
	if in.check(file) == nil {
		return file, nil
	}
	if err := os.MkdirAll(cache, 0o755); err != nil {
		return "", err
	}
	part, err := os.CreateTemp(cache, "part-")
	if err != nil {
		return "", err
	}
	defer os.Remove(part.Name())
	defer part.Close()
	for try := 1; ; try++ {
		if err = in.download(ctx, part); err == nil || try == 3 || ctx.Err() != nil {
			break
		}
		time.Sleep(time.Duration(try) * 2 * time.Second)
	}
	if err == nil {
		err = in.check(part.Name())
	}
	if err != nil {
		return "", fmt.Errorf("%s:%d: %s: %w\nchange that line to what the mirror has now (size, SHA-256 and address)", listName, in.line, in.URL, err)
	}
	return file, os.Rename(part.Name(), file)
}

func (in Input) download(ctx context.Context, to *os.File) error {
	if _, err := to.Seek(0, io.SeekStart); err != nil {
		return err
	}
	if err := to.Truncate(0); err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, in.URL, nil)
	if err != nil {
		return err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("the mirror answers %s", resp.Status)
	}
	_, err = io.Copy(to, io.LimitReader(resp.Body, in.Size+1))
	return err
}

// check compares size and digest.
func (in Input) check(file string) error {
	f, err := os.Open(file)
	if err != nil {
		return err
	}
	defer f.Close()
	h := sha256.New()
	n, err := io.Copy(h, f)
	if err != nil {
		return err
	}
	if n != in.Size {
		return fmt.Errorf("it has %d bytes, not %d", n, in.Size)
	}
	if sum := hex.EncodeToString(h.Sum(nil)); sum != in.SHA256 {
		return fmt.Errorf("its SHA-256 is %s, not %s", sum, in.SHA256)
	}
	return nil
}
