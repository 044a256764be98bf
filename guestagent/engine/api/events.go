package api

import (
	"bytes"
	"encoding/json"
	"mime"
	"strconv"
	"strings"

	"github.com/moby/moby/api/types"
	"github.com/moby/moby/api/types/events"
)

// recordSeparator begins each text of application/json-seq (RFC 7464).
const recordSeparator = 0x1e

// legacyEvent is an event before 1.52.
type legacyEvent struct {
	Status string `json:"status,omitempty"`
	ID     string `json:"id,omitempty"`
	From   string `json:"from,omitempty"`
	events.Message
}

func (s *Server) systemEvents(c *call) error {
	since, until, err := c.span()
	if err != nil {
		return err
	}
	f, err := c.filters("events")
	if err != nil {
		return err
	}
	contentType := eventsType(c)
	out := &flushWriter{w: c.w}
	each := func(m events.Message) error {
		var buf bytes.Buffer
		if contentType == types.MediaTypeJSONSequence {
			buf.WriteByte(recordSeparator)
		}
		if err := json.NewEncoder(&buf).Encode(eventFor(c.version, m)); err != nil {
			return err
		}
		_, err := out.Write(buf.Bytes())
		return err
	}
	err = s.System.Events(c.ctx(), since, until, f, func() { c.sendHead(contentType) }, each)
	if c.ctx().Err() != nil {
		return nil // the client left, or the server stops
	}
	return err
}

// eventFor gives an event in the shape of a version.
func eventFor(v Version, m events.Message) any {
	if !v.Before(52) {
		return m
	}
	old := legacyEvent{Message: m}
	switch m.Type {
	case events.ContainerEventType:
		old.Status, old.ID, old.From = string(m.Action), m.Actor.ID, m.Actor.Attributes["image"]
	case events.ImageEventType:
		old.Status, old.ID = string(m.Action), m.Actor.ID
	}
	return old
}

// eventsType picks the best of the media types the client takes. Before 1.52 there was only JSON.
func eventsType(c *call) string {
	best, bestQ := types.MediaTypeJSON, 0.0
	if c.version.Before(52) {
		return best
	}
	for _, part := range strings.Split(strings.Join(c.r.Header.Values("Accept"), ","), ",") {
		mediaType, params, err := mime.ParseMediaType(part)
		if err != nil {
			continue
		}
		if mediaType == types.MediaTypeJSONLines && c.version.Before(53) {
			continue
		}
		q := 1.0
		if s, ok := params["q"]; ok {
			if q, err = strconv.ParseFloat(s, 64); err != nil {
				continue
			}
		}
		switch mediaType {
		case types.MediaTypeJSON, types.MediaTypeNDJSON, types.MediaTypeJSONLines, types.MediaTypeJSONSequence:
			if q > bestQ {
				best, bestQ = mediaType, q
			}
		}
	}
	return best
}
