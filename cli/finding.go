package cli

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode"

	"ghapp-proxy/config"
)

// state is how something stands that `check` looked at.
type state string

const (
	stateOK      state = "ok"
	stateWarning state = "warning" // it works, but somebody should look
	stateFailed  state = "failed"
)

// finding is one thing that `check` found out. The JSON names are an interface:
// check.schema.json describes them.
type finding struct {
	Group   string `json:"group"`
	Subject string `json:"subject"` // a key of the configuration, or a host
	State   state  `json:"state"`
	Text    string `json:"text"`
	Remedy  string `json:"remedy,omitempty"`
}

func good(subject, format string, args ...any) finding {
	return finding{Subject: subject, State: stateOK, Text: fmt.Sprintf(format, args...)}
}

func dubious(remedy, subject, format string, args ...any) finding {
	return finding{Subject: subject, State: stateWarning, Text: fmt.Sprintf(format, args...), Remedy: remedy}
}

func bad(remedy, subject, format string, args ...any) finding {
	return finding{Subject: subject, State: stateFailed, Text: fmt.Sprintf(format, args...), Remedy: remedy}
}

// findings is what `check` prints, in either form.
type findings struct {
	File     string    `json:"file"` // "" where the environment was enough
	Status   int       `json:"status"`
	Findings []finding `json:"findings"`
}

// add files the findings of a group. What can be seen of it by whoever prints is
// cleaned of what could steer a terminal: GitHub and other hosts choose parts of it.
func (f *findings) add(group string, list []finding) []finding {
	for i := range list {
		one := &list[i]
		one.Group, one.Text, one.Remedy = group, printable(one.Text), printable(one.Remedy)
		if one.State == stateFailed && f.Status == 0 {
			f.Status = exitFailure
		}
	}
	f.Findings = append(f.Findings, list...)
	return list
}

// invalid are the findings of a configuration that cannot be used at all.
func (f *findings) invalid(err error) {
	f.Status = exitConfig
	var list []finding
	if faulty, is := errors.AsType[*config.Error](err); is {
		for _, fault := range faulty.Faults {
			text, _, _ := strings.Cut(fault.String(), "\n\thint: ")
			list = append(list, bad(fault.Hint, fault.Key, "%s", text))
		}
	} else {
		list = append(list, bad("", "", "%v", err))
	}
	f.add(groupConfiguration, list)
}

func (f *findings) writeJSON(w io.Writer) error {
	out := json.NewEncoder(w)
	out.SetIndent("", "  ")
	out.SetEscapeHTML(false)
	if f.Findings == nil {
		f.Findings = []finding{}
	}
	return out.Encode(f)
}

// printable is text with spaces for what steers terminals, over several lines if it
// was.
func printable(text string) string {
	return strings.Map(func(r rune) rune {
		if r != '\n' && !unicode.IsPrint(r) {
			return ' '
		}
		return r
	}, text)
}

// maxInOrder is how much of a group is printed that is in order.
const maxInOrder = 20

// marks stand before each finding.
var marks = map[bool]map[state]string{
	true:  {stateOK: "✓", stateWarning: "!", stateFailed: "✗"},
	false: {stateOK: "ok  ", stateWarning: "!   ", stateFailed: "FAIL"},
}

var stateColours = map[state]string{stateOK: green, stateWarning: yellow, stateFailed: red}

// writeGroup prints what was found under one heading.
func (t terminal) writeGroup(w io.Writer, title string, list []finding) error {
	out := bufio.NewWriter(w)
	fmt.Fprintln(out, t.paint(bold, title))
	inOrder := 0
	for _, one := range list {
		if one.State == stateOK {
			if inOrder++; inOrder > maxInOrder {
				continue
			}
		}
		t.writeFinding(out, one)
	}
	if more := inOrder - maxInOrder; more > 0 {
		fmt.Fprintf(out, "  %s and %d more in order: --json has them all\n", t.paint(green, marks[t.unicode][stateOK]), more)
	}
	return out.Flush()
}

func (t terminal) writeFinding(out *bufio.Writer, one finding) {
	mark := marks[t.unicode][one.State]
	indent := "\n  " + strings.Repeat(" ", len([]rune(mark))+1)
	text := one.Text
	if one.Subject != "" {
		text = one.Subject + ": " + text
	}
	fmt.Fprintf(out, "  %s %s\n", t.paint(stateColours[one.State], mark), strings.ReplaceAll(text, "\n", indent))
	if one.Remedy != "" {
		fmt.Fprintf(out, "%s%s\n", indent[1:], t.paint(faint, strings.ReplaceAll(one.Remedy, "\n", indent)))
	}
}
