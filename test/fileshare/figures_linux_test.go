package fileshare

import (
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"testing"
	"time"

	"github.com/berthhq/berth/hostagent/fileshare"
)

// TestFigures measures the mount beside the directory that it shows, in turns (BERTH_FIGURES=., minutes).
func TestFigures(t *testing.T) {
	if os.Getenv("BERTH_FIGURES") == "" {
		t.Skip("BERTH_FIGURES=REGEXP measures what it matches, . all")
	}
	chosen := regexp.MustCompile(os.Getenv("BERTH_FIGURES"))
	s := mounted(t, fileshare.Options{})
	makeTree(t, filepath.Join(s.host, "repo"))
	git := func(root string, args ...string) {
		c := exec.Command("git", append([]string{"-C", filepath.Join(root, "repo"), "-c", "safe.directory=*", "-c", "user.name=n", "-c", "user.email=e"}, args...)...)
		if out, err := c.CombinedOutput(); err != nil {
			t.Fatalf("git %q: %v: %s", args, err, out)
		}
	}
	git(s.host, "init", "-q")
	git(s.host, "add", ".")
	git(s.host, "commit", "-qm", "one")
	if chosen.MatchString("1 GB") {
		must(t, os.WriteFile(filepath.Join(s.host, "big"), make([]byte, 1<<30), 0o644))
	}
	fmt.Printf("%-44s %10s %10s %7s\n", "", "native ms", "share ms", "x")
	compare := func(what string, rounds int, run func(root string, round int)) {
		if !chosen.MatchString(what) {
			return
		}
		var took [2][]time.Duration
		for r := range rounds {
			for side, root := range []string{s.host, s.guest} {
				start := time.Now()
				run(root, r)
				took[side] = append(took[side], time.Since(start))
			}
		}
		a, b := median(took[0]), median(took[1])
		fmt.Printf("%-44s %10.1f %10.1f %7.2f\n", what, ms(a), ms(b), float64(b)/float64(a))
	}
	compare("git status, 20,000 files, first", 1, func(root string, _ int) { git(root, "status", "--porcelain") })
	compare("git status, 20,000 files, warm", 9, func(root string, _ int) { git(root, "status", "--porcelain") })
	compare("walk and lstat of 20,000, warm", 5, func(root string, _ int) { walkAll(t, filepath.Join(root, "repo")) })
	compare("read 20,000 small files, warm", 3, func(root string, _ int) { readAll(t, filepath.Join(root, "repo")) })
	if _, err := exec.LookPath("rg"); err == nil {
		compare("ripgrep, warm", 5, func(root string, _ int) { _ = exec.Command("rg", "-c", "nowhere", root+"/repo").Run() })
	}
	compare("create 5,000 files of 4 KB (npm-like)", 3, func(root string, r int) {
		npmLike(t, filepath.Join(root, fmt.Sprintf("npm%s%d", filepath.Base(root), r)))
	})
	compare("copy 1 GB (read and write on the share)", 3, func(root string, _ int) { copyFile(t, filepath.Join(root, "big"), filepath.Join(root, "copy")) })
	compare("read 1 GB, cached", 3, func(root string, _ int) { drain(t, filepath.Join(root, "big")) })
	compare("write 1 GB in pieces of 128 KB", 3, func(root string, _ int) { pour(t, filepath.Join(root, "poured"), 1<<30) })
	compare("append 20,000 lines, unbuffered", 3, func(root string, _ int) { lines(t, filepath.Join(root, "log"), 20000) })
	if _, err := exec.LookPath("sqlite3"); err == nil {
		compare("sqlite3, 200 commits", 3, func(root string, r int) {
			sqlite(t, filepath.Join(root, fmt.Sprintf("db%s%d", filepath.Base(root), r)), 200)
		})
	}
}

func ms(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

func median(d []time.Duration) time.Duration {
	slices.Sort(d)
	return d[len(d)/2]
}

// makeTree makes 20,000 files in 1,000 directories.
func makeTree(t *testing.T, root string) {
	for d := range 1000 {
		dir := filepath.Join(root, fmt.Sprintf("p%d/d%d", d%20, d))
		must(t, os.MkdirAll(dir, 0o755))
		for f := range 20 {
			must(t, os.WriteFile(filepath.Join(dir, fmt.Sprintf("file%d.go", f)), fmt.Appendf(nil, "package d%d // %d\n", d, f), 0o644))
		}
	}
}

func walkAll(t *testing.T, root string) {
	must(t, filepath.WalkDir(root, func(_ string, e fs.DirEntry, err error) error {
		if err == nil {
			_, err = e.Info()
		}
		return err
	}))
}

func readAll(t *testing.T, root string) {
	must(t, filepath.WalkDir(root, func(p string, e fs.DirEntry, err error) error {
		if err == nil && e.Type().IsRegular() {
			_, err = os.ReadFile(p)
		}
		return err
	}))
}

func npmLike(t *testing.T, root string) {
	body := make([]byte, 4096)
	for i := range 5000 {
		dir := filepath.Join(root, fmt.Sprintf("node_modules/m%d/lib", i/25))
		if i%25 == 0 {
			must(t, os.MkdirAll(dir, 0o755))
		}
		must(t, os.WriteFile(filepath.Join(dir, fmt.Sprintf("%d.js", i)), body, 0o644))
	}
}

func copyFile(t *testing.T, from, to string) {
	in, err := os.Open(from)
	must(t, err)
	defer in.Close()
	out, err := os.Create(to)
	must(t, err)
	_, err = io.CopyBuffer(struct{ io.Writer }{out}, struct{ io.Reader }{in}, make([]byte, 128<<10))
	must(t, err)
	must(t, out.Close())
}

func drain(t *testing.T, path string) {
	in, err := os.Open(path)
	must(t, err)
	defer in.Close()
	_, err = io.CopyBuffer(struct{ io.Writer }{io.Discard}, struct{ io.Reader }{in}, make([]byte, 128<<10))
	must(t, err)
}

func pour(t *testing.T, path string, size int) {
	out, err := os.Create(path)
	must(t, err)
	piece := make([]byte, 128<<10)
	for n := 0; n < size; n += len(piece) {
		_, err = out.Write(piece)
		must(t, err)
	}
	must(t, out.Close())
}

func lines(t *testing.T, path string, n int) {
	out, err := os.Create(path)
	must(t, err)
	for i := range n {
		_, err = fmt.Fprintf(out, "line %d of a log that is written at once\n", i)
		must(t, err)
	}
	must(t, out.Close())
}

func sqlite(t *testing.T, path string, commits int) {
	c := exec.Command("sqlite3", path)
	in, err := c.StdinPipe()
	must(t, err)
	must(t, c.Start())
	_, _ = io.WriteString(in, "create table t(n);\n")
	for i := range commits {
		_, _ = fmt.Fprintf(in, "insert into t values(%d);\n", i)
	}
	must(t, in.Close())
	must(t, c.Wait())
}
