package supervisor

import (
	"os"

	"github.com/berthhq/berth/guestagent/engine/logs/logfile"
	"github.com/berthhq/berth/guestagent/engine/supervisor/journal"
	"github.com/berthhq/berth/guestagent/engine/supervisor/proto"
	"github.com/berthhq/berth/guestagent/engine/supervisor/streams"
)

// containerLog is where a container's output is written; the nil one keeps nothing.
type containerLog struct {
	file    *logfile.Writer
	journal *journal.Journal // nil: what was read and not written dies with the supervisor
}

// openLog opens a container's log; driver none has none.
func openLog(l proto.Log) (*containerLog, error) {
	if l.Driver == "none" {
		return nil, nil
	}
	file, err := logfile.Open(logfile.Config(l))
	if err != nil {
		return nil, err
	}
	j, err := journal.New()
	if err != nil {
		file.Close()
		return nil, err
	}
	return &containerLog{file: file, journal: j}, nil
}

// reopenLog opens the log of a container that a predecessor started. kept is its journal, which may be nil.
func reopenLog(l proto.Log, kept *os.File) (*containerLog, error) {
	if l.Driver == "none" {
		closeFiles([]*os.File{kept})
		return nil, nil
	}
	log := &containerLog{}
	var jerr, err error
	if kept != nil {
		log.journal, jerr = journal.Recover(kept, l.Path)
	}
	if log.file, err = logfile.Open(logfile.Config(l)); err != nil {
		log.Close()
		return nil, err
	}
	return log, jerr
}

// outlet is where one stream's output goes.
func (l *containerLog) outlet(s logfile.Stream) streams.Outlet {
	if l == nil {
		return streams.Outlet{}
	}
	if l.journal == nil {
		return streams.Outlet{Sink: logfile.NewLines(l.file, s, nil)}
	}
	n := 0
	if s == logfile.Stderr {
		n = 1
	}
	part := l.journal.Stream(n)
	return streams.Outlet{Sink: logfile.NewLines(l.file, s, part), Buffer: part}
}

// kept is what the keeper is to hold of it; nil for nothing.
func (l *containerLog) kept() *os.File {
	if l == nil || l.journal == nil {
		return nil
	}
	return l.journal.File()
}

// Close closes the log once no output comes any more.
func (l *containerLog) Close() (err error) {
	if l == nil {
		return nil
	}
	if l.file != nil {
		err = l.file.Close()
	}
	if l.journal != nil {
		l.journal.Close()
	}
	return err
}
