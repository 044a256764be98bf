package session

import "github.com/spf13/cobra"

// MinArgs asks for at least n arguments.
func MinArgs(n int) cobra.PositionalArgs { return between(n, -1) }

// ExactArgs asks for n arguments.
func ExactArgs(n int) cobra.PositionalArgs { return between(n, n) }

// RangeArgs asks for at least low and at most high arguments.
func RangeArgs(low, high int) cobra.PositionalArgs { return between(low, high) }

// NoArgs takes no arguments.
func NoArgs() cobra.PositionalArgs { return between(0, 0) }

func between(low, high int) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) >= low && (high < 0 || len(args) <= high) {
			return nil
		}
		return Usage(cmd.CommandPath(), "'%s' %s", cmd.CommandPath(), wanted(low, high))
	}
}

func wanted(low, high int) string {
	switch {
	case high == 0:
		return "accepts no arguments"
	case low == high:
		return "requires " + count(low)
	case high < 0:
		return "requires at least " + count(low)
	case low == 0:
		return "accepts at most " + count(high)
	}
	return "requires at least " + count(low) + " and at most " + count(high)
}

func count(n int) string {
	if n == 1 {
		return "1 argument"
	}
	return string(rune('0'+n)) + " arguments"
}
