package github

import (
	"regexp"
	"slices"
)

// permissionName is the form of the names that docs.github.com lists in
// "Permissions required for GitHub Apps".
var permissionName = regexp.MustCompile(`^[a-z][a-z_]{0,99}$`)

// IsPermissionName reports whether a permission of GitHub Apps can have this name.
func IsPermissionName(s string) bool { return permissionName.MatchString(s) }

// levels are those of a permission, lowest first.
var levels = []string{"read", "write", "admin"}

// LevelRank orders the levels of a permission, "read", "write" and "admin"; what is
// no level is below them, and negative.
func LevelRank(level string) int { return slices.Index(levels, level) }

// CommonPermissions returns what both allow, of each permission the lower level.
func CommonPermissions(a, b map[string]string) map[string]string {
	both := make(map[string]string)
	for name, level := range a {
		theirs, ok := b[name]
		switch {
		case !ok:
		case LevelRank(level) < LevelRank(theirs):
			both[name] = level
		default:
			both[name] = theirs
		}
	}
	return both
}
