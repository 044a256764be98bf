package main

import (
	"bufio"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// more is how many containers are started to see what one costs.
const more = 10

func idle(_ *bench, p *peer) (float64, error) {
	time.Sleep(3 * time.Second) // let collectors and pools come to rest
	return pssOf(p)
}

func perContainer(b *bench, p *peer) (float64, error) {
	before, err := pssOf(p)
	if err != nil {
		return 0, err
	}
	for i := range more {
		if _, err := p.do("run", "-d", "--name", fmt.Sprint("bench-m", i), b.small, "sleep", "1000"); err != nil {
			return 0, err
		}
		defer p.remove(fmt.Sprint("bench-m", i))
	}
	time.Sleep(3 * time.Second)
	after, err := pssOf(p)
	return (after - before) / more, err
}

// pssOf sums what the processes of an engine use, shared pages divided among who shares them (proc_pid_smaps(5)). Two
// dockers run at once; a process is the peer's if its command line or that of a parent speaks of the peer's state.
func pssOf(p *peer) (float64, error) {
	dirs, err := filepath.Glob("/proc/[0-9]*")
	if err != nil {
		return 0, err
	}
	total := 0.0
	for _, dir := range dirs {
		args, err := os.ReadFile(dir + "/cmdline")
		if err != nil || len(args) == 0 {
			continue
		}
		argv0 := filepath.Base(strings.SplitN(string(args), "\x00", 2)[0])
		if !slices.Contains(p.server, argv0) || p.docker() && !strings.Contains(lineage(dir), "/"+p.name+"/") {
			continue
		}
		kb, err := pss(dir)
		if err != nil {
			continue // it ended
		}
		total += kb / 1024
	}
	if total == 0 {
		return 0, fmt.Errorf("no process of %s was found", p.name)
	}
	return total, nil
}

// lineage is the command lines of a process and its parents.
func lineage(dir string) string {
	var all strings.Builder
	for range 5 {
		args, _ := os.ReadFile(dir + "/cmdline")
		all.Write(args)
		stat, err := os.ReadFile(dir + "/stat")
		if err != nil {
			break
		}
		rest := strings.Fields(string(stat[strings.LastIndexByte(string(stat), ')')+1:]))
		if len(rest) < 2 || rest[1] == "0" {
			break
		}
		dir = "/proc/" + rest[1]
	}
	return all.String()
}

func pss(dir string) (float64, error) {
	f, err := os.Open(dir + "/smaps_rollup")
	if err != nil {
		return 0, err
	}
	defer f.Close()
	for s := bufio.NewScanner(f); s.Scan(); {
		if v, ok := strings.CutPrefix(s.Text(), "Pss:"); ok {
			return strconv.ParseFloat(strings.Fields(v)[0], 64)
		}
	}
	return 0, fmt.Errorf("%s has no Pss", dir)
}
