//go:build !unix

package certs

import "errors"

// lock has no counterpart here.
func lock(string) (unlock func(), err error) { return nil, errors.ErrUnsupported }
