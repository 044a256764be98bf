package logs

import (
	"context"
	"io"
	"maps"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/berthhq/berth/guestagent/engine/logs/logfile"
)

// Options are what a client asks for.
type Options struct {
	Stdout, Stderr bool
	Follow         bool
	Timestamps     bool // each line begins with its time
	Details        bool // and with the driver's attributes
	Since, Until   time.Time
	Tail           int             // less than 0 is all
	Done           <-chan struct{} // closed when the container writes no more
	Settled        func()          // if not nil, called before more is waited for
}

// timeFormat is docker's: fixed width, nine digits.
const timeFormat = "2006-01-02T15:04:05.000000000Z07:00"

// Stream writes the entries of a log to the writer of their stream.
func Stream(ctx context.Context, cfg logfile.Config, o Options, stdout, stderr io.Writer) error {
	read := logfile.ReadOptions{Since: o.Since, Until: o.Until, Tail: o.Tail, Follow: o.Follow, Done: o.Done, Settled: o.Settled}
	var line []byte
	return logfile.Read(ctx, cfg, read, func(e logfile.Entry) error {
		to := stdout
		if e.Stream == logfile.Stderr {
			to = stderr
		}
		if e.Stream == logfile.Stderr && !o.Stderr || e.Stream != logfile.Stderr && !o.Stdout {
			return nil
		}
		line = line[:0]
		if o.Timestamps {
			line = e.Time.UTC().AppendFormat(line, timeFormat)
			line = append(line, ' ')
		}
		if o.Details {
			line = append(line, details(e.Attrs)...)
			line = append(line, ' ')
		}
		line = append(line, e.Line...)
		_, err := to.Write(line)
		return err
	})
}

// details writes attributes as docker does: key=value, escaped, with commas between.
func details(attrs map[string]string) string {
	out := make([]string, 0, len(attrs))
	for _, k := range slices.Sorted(maps.Keys(attrs)) {
		out = append(out, url.QueryEscape(k)+"="+url.QueryEscape(attrs[k]))
	}
	return strings.Join(out, ",")
}
