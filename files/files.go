// Package files reads the files that people name in a configuration or on the
// command line: whatever a path leads to, that takes a bounded time and memory.
//
//	text, info, err := files.Read("/etc/ghapp-proxy/key.pem", 1<<20)
//
// It also writes what several processes share, whole or not at all.
//
// # Limitations
//
// A file system that does not answer, as NFS may, is waited for.
package files

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"syscall"
	"time"
)

// pipeTime is how long a pipe may take to give all it has.
var pipeTime = 5 * time.Second

// pipeTick is how often a pipe is looked at that nobody has opened for writing.
const pipeTick = 20 * time.Millisecond

// Read reads a file of at most so many bytes. It may be a pipe, such as what a
// shell's <(…) names, but no device save for the null device. Its errors do not
// name the file.
func Read(path string, most int64) ([]byte, fs.FileInfo, error) {
	// Without O_NONBLOCK, open waits for somebody who writes to a pipe.
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, nil, bare(err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, nil, bare(err)
	}
	read := readAll
	switch mode := info.Mode(); {
	case mode.IsDir():
		return nil, nil, errors.New("is a directory")
	case mode&fs.ModeNamedPipe != 0:
		read = readPipe
	case !mode.IsRegular() && !isNull(info):
		return nil, nil, errors.New("is neither a file nor a pipe")
	}
	text, err := read(f, most)
	if err != nil {
		return nil, nil, bare(err)
	}
	return text, info, nil
}

// isNull reports whether a file is the null device, which is an empty file.
func isNull(info fs.FileInfo) bool {
	null, err := os.Stat(os.DevNull)
	return err == nil && os.SameFile(info, null)
}

func readAll(f *os.File, most int64) ([]byte, error) {
	text, err := io.ReadAll(io.LimitReader(f, most+1))
	if err != nil {
		return nil, err
	}
	if int64(len(text)) > most {
		return nil, fmt.Errorf("longer than %s", size(most))
	}
	return text, nil
}

func size(n int64) string {
	switch {
	case n >= 1<<20 && n%(1<<20) == 0:
		return fmt.Sprintf("%d MiB", n>>20)
	case n >= 1<<10 && n%(1<<10) == 0:
		return fmt.Sprintf("%d KiB", n>>10)
	}
	return fmt.Sprintf("%d bytes", n)
}

// readPipe waits for somebody to write to a pipe, and reads that.
func readPipe(f *os.File, most int64) ([]byte, error) {
	end := time.Now().Add(pipeTime)
	if err := f.SetReadDeadline(end); err != nil {
		return nil, err
	}
	for {
		text, err := readAll(f, most)
		switch {
		case errors.Is(err, os.ErrDeadlineExceeded), err == nil && len(text) == 0 && time.Now().After(end):
			return nil, fmt.Errorf("is a pipe, and nobody wrote all of it within %v", pipeTime)
		case err != nil || len(text) > 0:
			return text, err
		}
		time.Sleep(pipeTick) // nobody has opened it
	}
}

// bare takes the operation and the path out of an error.
func bare(err error) error {
	if pathErr := (*fs.PathError)(nil); errors.As(err, &pathErr) {
		return pathErr.Err
	}
	return err
}
