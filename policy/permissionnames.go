package policy

import (
	_ "embed"
	"maps"
	"slices"
	"strings"
	"sync"
)

//go:embed permissions.txt
var permissionsText string

// permissionLevels are the levels of each permission that GitHub Apps can have.
var permissionLevels = sync.OnceValue(func() map[string][]string {
	all := make(map[string][]string, 128)
	for _, p := range PermissionDefaults {
		all[p.Name] = []string{"read", "write"}
	}
	for line := range strings.Lines(permissionsText) {
		if line[0] != '#' {
			f := strings.Fields(line)
			all[f[0]] = f[1:]
		}
	}
	return all
})

// PermissionLevels returns the levels of a permission, nil if GitHub had none of
// that name when this was written.
func PermissionLevels(name string) []string { return permissionLevels()[name] }

// PermissionNames are GitHub's names of permissions, in order.
func PermissionNames() []string { return slices.Sorted(maps.Keys(permissionLevels())) }

// MutationNames are the root fields of GitHub's GraphQL mutations, in order.
func MutationNames() []string { return slices.Sorted(maps.Keys(mutations())) }
