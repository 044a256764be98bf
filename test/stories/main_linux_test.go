package stories

import (
	"os"
	"testing"

	"github.com/berthhq/berth/test/harness"
)

func TestMain(m *testing.M) { os.Exit(harness.Main(m)) }
