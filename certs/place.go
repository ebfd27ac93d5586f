package certs

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"ghapp-proxy/files"
)

// link is os.Link, which tests replace.
var link = os.Link

// placeFirst places the file from at to, or returns an error that wraps
// fs.ErrExist if there is one. Whoever links first wins. Not every file system
// has hard links: FAT, many that are shared with a host or kept in a cloud, and
// Android's. Where linking fails otherwise, a lock of the directory decides.
func placeFirst(from, to string) error {
	linkErr := link(from, to)
	if linkErr == nil || errors.Is(linkErr, fs.ErrExist) {
		return linkErr
	}
	unlock, err := files.Lock(filepath.Dir(to))
	if err != nil {
		return errors.Join(linkErr, err)
	}
	defer unlock()
	if _, err := os.Lstat(to); !errors.Is(err, fs.ErrNotExist) {
		if err == nil {
			err = &fs.PathError{Op: "place", Path: to, Err: fs.ErrExist}
		}
		return err
	}
	return os.Rename(from, to)
}
