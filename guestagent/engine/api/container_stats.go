package api

import (
	"encoding/json"
	"net/http"
	"time"

	"github.com/berthhq/berth/internal/errdefs"
	"github.com/moby/moby/api/types/container"
)

// statsInterval is the time between two samples of a stream, and between the two of a single answer.
const statsInterval = time.Second

// containerStats samples once (one-shot), twice a second apart (stream=false), or every second until the client leaves
// or the container is gone. It pairs the samples itself.
func (s *Server) containerStats(c *call) error {
	stream, oneShot := c.flagOr("stream", true), c.flag("one-shot") && !c.version.Before(41)
	if stream && oneShot {
		return errdefs.Invalid("cannot have stream=true and one-shot=true")
	}
	sample, err := s.Query.ContainerStats(c.ctx(), c.name, true)
	if err != nil {
		return err
	}
	if oneShot {
		return writeJSON(c.w, http.StatusOK, sample)
	}
	if !stream {
		next, err := s.nextSample(c, sample)
		if err != nil {
			return err
		}
		return writeJSON(c.w, http.StatusOK, next)
	}
	return s.streamStats(c, sample)
}

func (s *Server) streamStats(c *call, sample container.StatsResponse) error {
	c.w.Header().Set("Content-Type", "application/json")
	enc := json.NewEncoder(&flushWriter{w: c.w})
	for {
		if err := enc.Encode(sample); err != nil {
			return nil // the client left
		}
		next, err := s.nextSample(c, sample)
		if c.ctx().Err() != nil || errdefs.KindOf(err) == errdefs.KindNotFound {
			return nil
		}
		if err != nil {
			return err
		}
		sample = next
	}
}

// nextSample waits for the interval, samples, and puts the previous sample's figures beside the new ones.
func (s *Server) nextSample(c *call, prev container.StatsResponse) (container.StatsResponse, error) {
	select {
	case <-c.ctx().Done():
		return prev, c.ctx().Err()
	case <-time.After(statsInterval):
	}
	next, err := s.Query.ContainerStats(c.ctx(), c.name, true)
	if err != nil {
		return prev, err
	}
	next.PreRead, next.PreCPUStats = prev.Read, prev.CPUStats
	return next, nil
}
