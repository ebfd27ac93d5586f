package policy

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
)

// What the command list of a push may have. git itself sets no limit.
const (
	maxPushHead    = 1 << 20 // bytes
	maxPushUpdates = 5000    // refs; a push of all tags has hundreds
	maxPushOptions = 100
)

// RefUpdate is one command of a push: what a ref points at, and what it shall.
type RefUpdate struct {
	Old, New string // object ids in hexadecimal, all zeros for none
	Ref      string // full name, such as "refs/heads/main"
}

// Creates reports whether the ref is new, as the client sees it.
func (u RefUpdate) Creates() bool { return isZeroID(u.Old) && !u.Deletes() }

// Deletes reports whether the ref shall go. git looks at the new id alone.
func (u RefUpdate) Deletes() bool { return isZeroID(u.New) }

// Updates reports whether the ref shall point at something else. Whether that
// is a fast-forward does not show in the command list.
func (u RefUpdate) Updates() bool { return !u.Deletes() && !u.Creates() }

func isZeroID(id string) bool { return strings.Trim(id, "0") == "" }

// Push is the beginning of a request to git-receive-pack: all of it but the pack.
type Push struct {
	// Commands are the updates asked for. None means a probe, with which git
	// looks for a server before it sends a large body: nothing will change.
	Commands []RefUpdate
	// Capabilities are the words behind the first command.
	Capabilities []string
	// Options are what git push --push-option sent.
	Options []string
	// Raw is what was read, byte for byte.
	Raw []byte

	shallow []string // ids
}

// ReadPush reads the command list of a request to git-receive-pack, and not a
// byte of the pack behind it (gitprotocol-pack(5), "Reference Update Request
// and Packfile Transfer"). It reads at most a mebibyte.
//
// It is strict: what it takes, every git reads in the same way. So nothing is
// taken that is not in the grammar, be it harmless, and no signed push: its
// commands are in a certificate, which GitHub asks nobody for.
//
// With an error, the Push holds what was read before it: enough for Fail.
func ReadPush(r io.Reader) (*Push, error) {
	push, lines := &Push{}, &pktReader{r: r}
	err := push.readCommands(lines)
	if err == nil && len(push.Commands) > 0 && push.has("push-options") {
		err = push.readOptions(lines)
	}
	if err == nil {
		err = push.check(r)
	}
	push.Raw = lines.raw
	if err != nil {
		return push, fmt.Errorf("read the command list of a push: %w", err)
	}
	return push, nil
}

// readCommands reads up to the first flush.
func (p *Push) readCommands(lines *pktReader) error {
	for {
		line, err := lines.next()
		if line == nil || err != nil {
			return err
		}
		text := chomp(line)
		if id, ok := strings.CutPrefix(text, "shallow "); ok && len(p.Commands) == 0 {
			if !isObjectID(id) {
				return fmt.Errorf("%.80q is no object id", id)
			}
			p.shallow = append(p.shallow, id)
			continue
		}
		if len(p.Commands) == 0 {
			command, words, _ := strings.Cut(text, "\x00")
			if p.Capabilities, err = parseCapabilities(words); err != nil {
				return err
			}
			text = command
		}
		if len(p.Commands) == maxPushUpdates {
			return fmt.Errorf("more than %d refs: push fewer at once", maxPushUpdates)
		}
		update, err := parseUpdate(text)
		if err != nil {
			return err
		}
		p.Commands = append(p.Commands, update)
	}
}

// chomp returns a line without the one LF that may end it.
func chomp(line []byte) string { return string(bytes.TrimSuffix(line, []byte{'\n'})) }

// parseCapabilities splits the words at their spaces. git takes other white
// space as well; nobody sends it.
func parseCapabilities(text string) ([]string, error) {
	if i := strings.IndexFunc(text, func(r rune) bool { return r < ' ' || r > '~' }); i >= 0 {
		return nil, fmt.Errorf("a capability with the byte %#x", text[i])
	}
	return strings.Fields(text), nil
}

var errSigned = errors.New("a signed push: its commands are hidden in a certificate; push without --signed")

// parseUpdate reads "OLD NEW REF".
func parseUpdate(line string) (u RefUpdate, err error) {
	var ok bool
	if u.Old, line, ok = strings.Cut(line, " "); !ok && u.Old == "push-cert" {
		return u, errSigned
	}
	if u.New, u.Ref, ok = strings.Cut(line, " "); !ok || !isObjectID(u.Old) || !isObjectID(u.New) {
		return u, fmt.Errorf("%.120q is no command: it needs two object ids and a ref", line)
	}
	if !isRefName(u.Ref) {
		return u, fmt.Errorf("%.120q is no name of a ref", u.Ref)
	}
	return u, nil
}

// Lengths of object ids in hexadecimal.
const (
	sha1Digits   = 40
	sha256Digits = 64
)

func isObjectID(s string) bool {
	return (len(s) == sha1Digits || len(s) == sha256Digits) && strings.Trim(s, "0123456789abcdef") == ""
}

// isRefName reports whether s is a full name that git check-ref-format(1)
// accepts. git-receive-pack takes names below refs/ only.
func isRefName(s string) bool {
	if !strings.HasPrefix(s, "refs/") || strings.HasSuffix(s, ".") ||
		strings.Contains(s, "..") || strings.Contains(s, "@{") || strings.ContainsAny(s, " ~^:?*[\\\x7f") {
		return false
	}
	for part := range strings.SplitSeq(s, "/") {
		if part == "" || part[0] == '.' || strings.HasSuffix(part, ".lock") {
			return false
		}
	}
	return !slices.ContainsFunc([]byte(s), func(c byte) bool { return c < ' ' })
}

// readOptions reads up to the flush behind the push options.
func (p *Push) readOptions(lines *pktReader) error {
	for {
		line, err := lines.next()
		if line == nil || err != nil {
			return err
		}
		if len(p.Options) == maxPushOptions {
			return fmt.Errorf("more than %d push options", maxPushOptions)
		}
		p.Options = append(p.Options, chomp(line))
	}
}

// check looks at what only the whole list shows.
func (p *Push) check(r io.Reader) error {
	if len(p.Commands) == 0 {
		if n, err := io.ReadFull(r, make([]byte, 1)); n > 0 || err != io.EOF {
			return errors.New("something follows a command list without commands")
		}
	}
	digits := sha1Digits
	for _, word := range p.Capabilities {
		format, ok := strings.CutPrefix(word, "object-format=")
		switch {
		case !ok, format == "sha1":
		case format == "sha256":
			digits = sha256Digits
		default:
			return fmt.Errorf("object ids of the unknown format %.40q", format)
		}
	}
	wrong := func(id string) bool { return len(id) != digits }
	if slices.ContainsFunc(p.Commands, func(u RefUpdate) bool { return wrong(u.Old) || wrong(u.New) }) ||
		len(p.Commands) > 0 && slices.ContainsFunc(p.shallow, wrong) {
		return errors.New("object ids of another length than their format's")
	}
	return nil
}

// has reports whether the client asked for a capability. As git does, it takes
// one that needs no value also with a value.
func (p *Push) has(name string) bool {
	return slices.ContainsFunc(p.Capabilities, func(word string) bool {
		asked, _, _ := strings.Cut(word, "=")
		return asked == name
	})
}
