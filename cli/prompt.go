package cli

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/term"
)

// prompter asks whoever sits at the terminal. The terminal stays as it is: it is the
// terminal's own line that is edited, so that there is nothing to restore.
type prompter struct {
	interactive bool
	yes         bool // nobody is asked to confirm
	in          *bufio.Reader
	to          io.Writer
	progress    *progress // nil for none
}

func newPrompter(cmd *cobra.Command, s *settings, yes bool) *prompter {
	in, to := cmd.InOrStdin(), cmd.ErrOrStderr()
	file, isFile := in.(*os.File)
	shown, isShown := to.(*os.File)
	p := &prompter{yes: yes, in: bufio.NewReader(in), to: to}
	p.interactive = isFile && isShown && term.IsTerminal(int(file.Fd())) && term.IsTerminal(int(shown.Fd()))
	if p.interactive && terminalOf(to, lookupIn(s.inherited)).interactive {
		p.progress = &progress{out: to}
	}
	return p
}

// errNothingWritten is for who interrupts.
var errNothingWritten = errors.New("interrupted: nothing was written")

func (p *prompter) say(format string, args ...any) {
	p.progress.clear()
	fmt.Fprintf(p.to, "%s\n", printable(fmt.Sprintf(format, args...)))
}

// option changes what is asked.
type option int

// orNothing lets an answer be empty.
const orNothing option = iota + 1

// question asks until there is an answer. Without a terminal it is an error that
// names the flags to give instead.
func (p *prompter) question(ctx context.Context, text, flags string, options ...option) (string, error) {
	if !p.interactive {
		return "", &statusError{exitConfig, fmt.Errorf("%s is missing: there is no terminal to ask at (see ghapp-proxy init --help)", flags)}
	}
	for {
		answer, err := p.line(ctx, text)
		if err != nil || answer != "" || len(options) > 0 && options[0] == orNothing {
			return answer, err
		}
	}
}

// confirm asks whether to go on, if there is a terminal.
func (p *prompter) confirm(ctx context.Context, text string) error {
	if !p.interactive || p.yes {
		return nil
	}
	answer, err := p.line(ctx, text+" [Y/n]")
	switch {
	case err != nil:
		return err
	case answer == "" || strings.EqualFold(answer, "y") || strings.EqualFold(answer, "yes"):
		return nil
	}
	return &statusError{exitFailure, errors.New("nothing was written")}
}

// line reads one line. Who interrupts waits for nothing.
func (p *prompter) line(ctx context.Context, text string) (string, error) {
	type read struct {
		text string
		err  error
	}
	if ctx.Err() != nil {
		return "", errNothingWritten
	}
	p.progress.clear()
	fmt.Fprintf(p.to, "%s ", text)
	done := make(chan read, 1)
	go func() { // it ends with the process at the latest
		line, err := p.in.ReadString('\n')
		done <- read{line, err}
	}()
	select {
	case <-ctx.Done():
		fmt.Fprintln(p.to)
		return "", errNothingWritten
	case got := <-done:
		if got.err != nil {
			fmt.Fprintln(p.to)
			return "", errNothingWritten
		}
		return strings.TrimSpace(got.text), nil
	}
}
