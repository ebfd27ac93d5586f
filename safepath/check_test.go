//go:build unix

package safepath

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// tree makes files ("name"), directories ("name/") and links ("name -> target")
// in a directory of its own, all closed to others.
func tree(t *testing.T, entries ...string) string {
	t.Helper()
	root := t.TempDir()
	if err := os.Chmod(root, 0o755); err != nil {
		t.Fatal(err)
	}
	for _, entry := range entries {
		name, target, isLink := strings.Cut(entry, " -> ")
		path := filepath.Join(root, name)
		err := os.MkdirAll(filepath.Dir(path), 0o700)
		switch {
		case err != nil:
		case isLink:
			err = os.Symlink(strings.ReplaceAll(target, "ROOT", root), path)
		case strings.HasSuffix(name, "/"):
			err = os.MkdirAll(path, 0o700)
		default:
			err = os.WriteFile(path, []byte("x"), 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return root
}

const other = 65533 // a uid that is not the tests'

func TestCheck(t *testing.T) {
	chmod := func(name string, mode fs.FileMode) func(*testing.T, string) {
		return func(t *testing.T, root string) {
			if err := os.Chmod(filepath.Join(root, name), mode); err != nil {
				t.Fatal(err)
			}
		}
	}
	give := func(name string, uid int) func(*testing.T, string) {
		return func(t *testing.T, root string) {
			if os.Getuid() != 0 {
				t.Skip("only root can give files away")
			}
			if err := os.Lchown(filepath.Join(root, name), uid, -1); err != nil {
				t.Fatal(err)
			}
		}
	}
	both := func(changes ...func(*testing.T, string)) func(*testing.T, string) {
		return func(t *testing.T, root string) {
			for _, change := range changes {
				change(t, root)
			}
		}
	}
	none := func(*testing.T, string) {}
	for name, test := range map[string]struct {
		entries []string
		change  func(*testing.T, string)
		path    string
		at      string // of the fault, "" for none
		reason  string
	}{
		"a file":                          {[]string{"a/b"}, none, "a/b", "", ""},
		"a file that all may read":        {[]string{"a/b"}, chmod("a/b", 0o644), "a/b", "", ""},
		"a file that all may write":       {[]string{"a/b"}, chmod("a/b", 0o646), "a/b", "a/b", "others can write to it (mode 0646)"},
		"a file that a group may write":   {[]string{"a/b"}, both(chmod("a/b", 0o620), give("a", 0)), "a/b", "a/b", "others can write"},
		"a directory that all may write":  {[]string{"a/b"}, chmod("a", 0o777), "a/b", "a", "others can write to it (mode 0777)"},
		"far above":                       {[]string{"a/b/c/d"}, chmod("a", 0o777), "a/b/c/d", "a", "others can write"},
		"below one like /tmp":             {[]string{"a/b/"}, chmod("a", 0o777|fs.ModeSticky), "a/b", "", ""},
		"one like /tmp itself":            {[]string{"a/"}, chmod("a", 0o777|fs.ModeSticky), "a", "a", "others can write"},
		"somebody else's below like /tmp": {[]string{"a/b/c"}, both(chmod("a", 0o777|fs.ModeSticky), give("a/b", other)), "a/b/c", "a/b", "belongs to uid 65533"},
		"somebody else's file":            {[]string{"a/b"}, give("a/b", other), "a/b", "a/b", "belongs to uid 65533"},
		"somebody else's directory":       {[]string{"a/b/c"}, give("a", other), "a/b/c", "a", "belongs to uid 65533"},
		"a link":                          {[]string{"a/b", "l -> a/b"}, none, "l", "", ""},
		"a link to the outside":           {[]string{"a/b", "x/l -> ROOT/a"}, none, "x/l/b", "", ""},
		"a link upwards":                  {[]string{"a/b", "x/y/l -> ../../a"}, none, "x/y/l/b", "", ""},
		"a link's target":                 {[]string{"a/b", "x/l -> ../a"}, chmod("a", 0o777), "x/l/b", "a", "others can write"},
		"what a link stands in":           {[]string{"a/b", "x/l -> ../a"}, chmod("x", 0o777), "x/l/b", "x", "others can write"},
		"somebody else's link":            {[]string{"a/b", "x/l -> ../a"}, both(chmod("x", 0o777|fs.ModeSticky), give("x/l", other)), "x/l/b", "x/l", "belongs to uid 65533"},
		// A secret as Kubernetes mounts it with an fsGroup.
		"a mounted secret": {[]string{"s/..2026/key.pem", "s/..data -> ..2026", "s/key.pem -> ..data/key.pem"},
			both(chmod("s", 0o777|fs.ModeSticky|fs.ModeSetgid), chmod("s/..2026", 0o755|fs.ModeSetgid), chmod("s/..2026/key.pem", 0o440)), "s/key.pem", "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			root := tree(t, test.entries...)
			test.change(t, root)
			err := Check(filepath.Join(root, test.path))
			if test.at == "" {
				if err != nil {
					t.Errorf("Check: %v", err)
				}
				return
			}
			fault := (*Error)(nil)
			if !errors.As(err, &fault) || fault.Path != filepath.Join(root, test.at) || !strings.Contains(fault.Reason, test.reason) || !strings.Contains(fault.Remedy, fault.Path) {
				t.Errorf("Check: %v, want a fault of %s: %s", err, test.at, test.reason)
			}
		})
	}
}

func TestCheckErrors(t *testing.T) {
	root := tree(t, "l -> l", "a/b")
	if err := Check(filepath.Join(root, "l")); err == nil {
		t.Error("a link to itself: no error")
	}
	if err := Check(filepath.Join(root, "a/none")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("what is not there: %v", err)
	}
	t.Chdir(filepath.Join(root, "a"))
	if err := Check("b"); err != nil {
		t.Errorf("a relative path: %v", err)
	}
}

func TestPrivateGroup(t *testing.T) {
	lines := func(text string) (all [][]string) {
		for line := range strings.FieldsSeq(text) {
			all = append(all, strings.Split(line, ":"))
		}
		return all
	}
	const passwd = "root:x:0:0:: ann:x:1000:1000::/home/ann bob:x:1001:1001:: eve:x:1002:100::"
	for _, test := range []struct {
		name, passwd, group string
		want                bool
	}{
		{"a group of her own", passwd, "ann:x:1000: users:x:100:", true},
		{"herself in it", passwd, "ann:x:1000:ann", true},
		{"others in it", passwd, "ann:x:1000:ann,bob", false},
		{"another name", passwd, "staff:x:1000:", false},
		{"another user's too", passwd + " dan:x:1003:1000::", "ann:x:1000:", false},
		{"two names", passwd, "ann:x:1000: admin:x:1000:eve", false},
		{"an unknown group", passwd, "users:x:100:", false},
		{"an unknown user", "root:x:0:0::", "ann:x:1000:", false},
		{"broken", "ann:x", "ann:x:1000", false},
	} {
		if got := privateGroup(1000, 1000, lines(test.passwd), lines(test.group)); got != test.want {
			t.Errorf("%s: %v, want %v", test.name, got, test.want)
		}
	}
}

func TestGivenByGroup(t *testing.T) {
	for _, test := range []struct {
		owner uint32
		user  int
		mode  fs.FileMode
		want  bool
	}{
		{0, 1000, 0o440, true},
		{0, 1000, 0o640, true},
		{0, 1000, 0o644, false},
		{0, 1000, 0o660, false},
		{0, 0, 0o440, false},
		{1000, 1000, 0o440, false},
		{1001, 1000, 0o440, false},
	} {
		if got := givenByGroup(test.owner, test.user, test.mode); got != test.want {
			t.Errorf("uid %d's file of mode %04o for uid %d: %v, want %v", test.owner, test.mode, test.user, got, test.want)
		}
	}
}
