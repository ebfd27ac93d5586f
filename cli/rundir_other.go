//go:build !unix

package cli

import (
	"errors"
	"os"
)

// lockDir has no counterpart here: what a run that is killed leaves stays.
func lockDir(string) (*os.File, error) { return nil, errors.ErrUnsupported }
