//go:build !unix

package files

import "errors"

// Lock has no counterpart here.
func Lock(string) (unlock func(), err error) { return nil, errors.ErrUnsupported }
