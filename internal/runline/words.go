package runline

import (
	"bytes"
	"strings"

	"github.com/berthhq/berth/internal/errdefs"
	"mvdan.cc/sh/v3/expand"
	"mvdan.cc/sh/v3/syntax"
)

// Bounds of a line: beyond what a shell's user pastes, and below what could hurt.
const (
	maxLine  = 16 << 10 // bytes
	maxPorts = 1 << 16  // that ranges of -p and --expose name together
)

// words cuts a line as a shell does. Expansions that at does not answer stand as they are written, and are told. Errors:
// Invalid where it is not one simple command.
func words(line string, at Place) (list []string, rest []Left, err error) {
	if len(line) > maxLine {
		return nil, nil, errdefs.Invalid("the line has %d bytes: at most %d are read", len(line), maxLine)
	}
	line = strings.TrimPrefix(strings.TrimSpace(line), "$ ") // the prompt of a manual's example
	line = strings.ReplaceAll(line, "\r\n", "\n")
	file, err := syntax.NewParser(syntax.Variant(syntax.LangBash)).Parse(strings.NewReader(line), "")
	if err != nil {
		return nil, nil, errdefs.Invalid("the line is not a shell's: %w", err)
	}
	call, ok := simple(file)
	if !ok {
		return nil, nil, errdefs.Invalid("the line is not one command").WithHint("Give one 'docker run' line without pipes, redirections and further commands.")
	}
	for _, a := range call.Assigns {
		rest = append(rest, left(source(a), CodeVariable))
	}
	cfg := &expand.Config{Env: expand.FuncEnviron(func(name string) string {
		if name == "HOME" {
			return at.Home
		}
		return ""
	})}
	for _, w := range call.Args {
		w.Parts = literal(w.Parts, at, &rest)
		text, err := expand.Literal(cfg, w)
		if err != nil {
			return nil, nil, errdefs.Invalid("reading %s: %w", source(w), err)
		}
		list = append(list, text)
	}
	return list, rest, nil
}

// simple gives the one command of a script that consists of it alone.
func simple(f *syntax.File) (*syntax.CallExpr, bool) {
	if len(f.Stmts) != 1 {
		return nil, false
	}
	s := f.Stmts[0]
	call, ok := s.Cmd.(*syntax.CallExpr)
	return call, ok && len(call.Args) > 0 && len(s.Redirs) == 0 && !s.Background && !s.Negated && !s.Coprocess
}

// literal makes text of what a shell would compute: nothing in a line is evaluated.
func literal(parts []syntax.WordPart, at Place, rest *[]Left) []syntax.WordPart {
	out := make([]syntax.WordPart, 0, len(parts))
	for _, p := range parts {
		switch p := p.(type) {
		case *syntax.Lit, *syntax.SglQuoted:
			out = append(out, p)
		case *syntax.DblQuoted:
			p.Parts = literal(p.Parts, at, rest)
			out = append(out, p)
		default:
			text := source(p)
			if known := at.answer(text); known != "" {
				text = known
			} else {
				*rest = append(*rest, left(text, CodeVariable))
			}
			out = append(out, &syntax.SglQuoted{Value: text})
		}
	}
	return out
}

// answer is what the commonest expansions mean; "" where that is not known.
func (at Place) answer(text string) string {
	switch text {
	case "$HOME", "${HOME}":
		return at.Home
	case "$PWD", "${PWD}", "$(pwd)", "`pwd`":
		return at.Dir
	}
	return ""
}

func source(n syntax.Node) string {
	var b bytes.Buffer
	syntax.NewPrinter(syntax.SingleLine(true)).Print(&b, n)
	return strings.TrimSpace(b.String())
}
