package api

import (
	"strconv"
	"strings"
	"time"

	"github.com/berthhq/berth/internal/errdefs"
)

// parseTime reads a moment in any form that clients send: seconds since the epoch with up to nine decimals
// ("1700000000.5"), RFC 3339 with or without zone, date or time of day, or a duration before now ("10m"). "" and "0"
// are no limit. Times without a zone are UTC.
func parseTime(key, s string, now time.Time) (time.Time, error) {
	if s == "" || s == "0" {
		return time.Time{}, nil
	}
	if t, ok := parseUnix(s); ok {
		return t, nil
	}
	if d, err := time.ParseDuration(s); err == nil {
		return now.Add(-d), nil
	}
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02T15:04:05.999999999", "2006-01-02T15:04", "2006-01-02Z07:00", "2006-01-02"} {
		if t, err := time.Parse(layout, s); err == nil {
			return t, nil
		}
	}
	return time.Time{}, errdefs.Invalid("invalid value for %q: failed to parse value as time or duration: %q", key, s)
}

// parseUnix reads "secs" or "secs.nanos". A short fraction is padded on the right: ".5" is half a second.
func parseUnix(s string) (time.Time, bool) {
	whole, frac, _ := strings.Cut(s, ".")
	secs, err := strconv.ParseInt(whole, 10, 64)
	if err != nil || len(frac) > 9 {
		return time.Time{}, false
	}
	nanos, err := strconv.ParseUint((frac + "000000000")[:9], 10, 32)
	if err != nil {
		return time.Time{}, false
	}
	if strings.HasPrefix(whole, "-") {
		return time.Unix(secs, -int64(nanos)), true
	}
	return time.Unix(secs, int64(nanos)), true
}

// span reads since and until and refuses an empty one.
func (c *call) span() (since, until time.Time, err error) {
	now := time.Now()
	if since, err = parseTime("since", c.query.Get("since"), now); err != nil {
		return since, until, err
	}
	if until, err = parseTime("until", c.query.Get("until"), now); err != nil {
		return since, until, err
	}
	if !since.IsZero() && !until.IsZero() && until.Before(since) {
		return since, until, errdefs.Invalid("`since` time (%s) cannot be after `until` time (%s)", c.query.Get("since"), c.query.Get("until"))
	}
	return since, until, nil
}
