//go:build unix

package safepath

import (
	"bufio"
	"os"
	"strconv"
	"strings"
	"sync"
)

// isPrivateGroup reports whether a group is the user's alone: the primary one,
// with the user's name, and with nobody else in it. Where users have such
// groups, the files that they make can be written by them (pam_umask(8), usergroups).
func isPrivateGroup(gid uint32) bool {
	return gid != 0 && int(gid) == os.Getegid() && hasPrivateGroup()
}

// hasPrivateGroup reads it from the files of accounts; where those of the user
// come from elsewhere it cannot be told.
var hasPrivateGroup = sync.OnceValue(func() bool {
	return privateGroup(os.Geteuid(), os.Getegid(), fields("/etc/passwd"), fields("/etc/group"))
})

// privateGroup is hasPrivateGroup for the lines of passwd(5) and group(5).
func privateGroup(uid, gid int, passwd, group [][]string) bool {
	user := ""
	for _, f := range passwd {
		if len(f) < 4 || f[3] != strconv.Itoa(gid) {
			continue
		}
		if user != "" || f[2] != strconv.Itoa(uid) {
			return false // somebody else has it, too
		}
		user = f[0]
	}
	private := false
	for _, f := range group {
		if len(f) < 4 || f[2] != strconv.Itoa(gid) {
			continue
		}
		if f[0] != user || f[3] != "" && f[3] != user {
			return false
		}
		private = true
	}
	return private
}

// fields are the lines of a file, split at colons; none if it cannot be read.
func fields(file string) (lines [][]string) {
	f, err := os.Open(file)
	if err != nil {
		return nil
	}
	defer f.Close()
	for s := bufio.NewScanner(f); s.Scan(); {
		lines = append(lines, strings.Split(s.Text(), ":"))
	}
	return lines
}
