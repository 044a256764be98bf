package image

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/docker/cli/cli/command/formatter"
	"github.com/moby/moby/api/types/image"
)

func TestHistoryIsPrintedAsDockerDoes(t *testing.T) {
	made := time.Now().Add(-49 * time.Hour)
	items := []image.HistoryResponseItem{
		{ID: "sha256:0123456789abcdef0123", Created: made.Unix(), CreatedBy: "RUN\t" + strings.Repeat("x", 60), Size: 1234567, Comment: "c"},
		{ID: "<missing>", CreatedBy: "FROM"},
	}
	for _, c := range []struct {
		format      string
		quiet, long bool
		robot       bool
		want        []string
	}{
		{format: "table", want: []string{"IMAGE          CREATED      CREATED BY", "0123456789ab   2 days ago   RUN " + strings.Repeat("x", 40) + "…   1.23MB    c", "<missing>      N/A"}},
		{format: "table", robot: true, want: []string{"CREATED AT", made.Format(time.RFC3339), "1234567"}},
		{format: "table", quiet: true, long: true, want: []string{"sha256:0123456789abcdef0123\n<missing>\n"}},
		{format: "{{.ID}} {{.Size}}", want: []string{"0123456789ab 1.23MB\n<missing> 0B\n"}},
		{format: "json", want: []string{`"Comment":"c"`, `"CreatedSince":"2 days ago"`}},
	} {
		var out bytes.Buffer
		ctx := formatter.Context{Output: &out, Format: historyFormat(c.format, c.quiet, !c.robot), Trunc: !c.long}
		if err := writeHistory(ctx, !c.robot, items); err != nil {
			t.Fatal(err)
		}
		for _, want := range c.want {
			if !strings.Contains(out.String(), want) {
				t.Errorf("%s: %q lacks %q", c.format, out.String(), want)
			}
		}
	}
}
