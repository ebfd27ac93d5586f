//go:build unix

package files_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"ghapp-proxy/files"
)

func TestRead(t *testing.T) {
	dir := t.TempDir()
	file, link := filepath.Join(dir, "file"), filepath.Join(dir, "link")
	if err := os.WriteFile(file, []byte("text"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(file, link); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct{ path, want, wantErr string }{
		{file, "text", ""},
		{link, "text", ""},
		{os.DevNull, "", ""},
		{dir, "", "is a directory"},
		{"/dev/zero", "", "is neither a file nor a pipe"},
		{"/dev/ptmx", "", "is neither a file nor a pipe"},
		{filepath.Join(dir, "none"), "", syscall.ENOENT.Error()},
	} {
		if f, err := os.Open(test.path); errors.Is(err, syscall.ENODEV) {
			continue // /dev/ptmx where /dev/pts is not mounted
		} else if err == nil {
			f.Close()
		}
		text, _, err := files.Read(test.path, 1<<10)
		if string(text) != test.want || (err == nil) != (test.wantErr == "") || err != nil && err.Error() != test.wantErr {
			t.Errorf("Read(%s) = %q, %v, want %q, %s", test.path, text, err, test.want, test.wantErr)
		}
	}
	if _, _, err := files.Read(file, 3); err == nil || !strings.Contains(err.Error(), "longer than") {
		t.Errorf("of a file that is too long the error is %v", err)
	}
	if _, info, err := files.Read(file, 4); err != nil || info.Mode() != 0o600 {
		t.Errorf("Read says that the mode is %v, %v", info, err)
	}
}

// pipe makes a named pipe.
func pipe(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "pipe")
	if err := syscall.Mkfifo(path, 0o600); err != nil {
		t.Skip(err)
	}
	return path
}

func TestReadPipe(t *testing.T) {
	path := pipe(t)
	go func() { // later, and in two parts
		time.Sleep(50 * time.Millisecond)
		f, err := os.OpenFile(path, os.O_WRONLY, 0)
		if err != nil {
			t.Error(err)
			return
		}
		defer f.Close()
		f.WriteString("te")
		time.Sleep(50 * time.Millisecond)
		f.WriteString("xt")
	}()
	text, info, err := files.Read(path, 1<<10)
	if string(text) != "text" || err != nil || info.Mode()&fs.ModeNamedPipe == 0 {
		t.Errorf("Read of a pipe: %q, %v", text, err)
	}
}

// TestReadDescriptor reads what a shell's <(…) names.
func TestReadDescriptor(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	w.WriteString("text")
	w.Close() // its program has ended
	path := filepath.Join("/dev/fd", strconv.Itoa(int(r.Fd())))
	if _, err := os.Stat(path); err != nil {
		t.Skip(err)
	}
	if text, _, err := files.Read(path, 1<<10); string(text) != "text" || err != nil {
		t.Errorf("Read of a descriptor: %q, %v", text, err)
	}
}

// TestReadEndlessPipe: neither who writes nothing nor who writes too much holds
// up the reader.
func TestReadEndlessPipe(t *testing.T) {
	defer files.SetPipeTime(100 * time.Millisecond)()
	for _, write := range []func(*os.File){
		func(*os.File) {},
		func(f *os.File) { f.WriteString("a beginning") },
	} {
		t.Run("", func(t *testing.T) {
			path := pipe(t)
			f, err := os.OpenFile(path, os.O_RDWR, 0) // a writer that stays
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			write(f)
			if _, _, err := files.Read(path, 1<<10); err == nil || !strings.Contains(err.Error(), "is a pipe") {
				t.Errorf("the error is %v", err)
			}
		})
	}
	t.Run("nobody", func(t *testing.T) {
		if _, _, err := files.Read(pipe(t), 1<<10); err == nil || !strings.Contains(err.Error(), "is a pipe") {
			t.Errorf("the error is %v", err)
		}
	})
}
