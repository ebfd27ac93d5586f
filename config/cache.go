package config

// Cache is the [cache] table.
type Cache struct {
	// Size is how much memory answers may take, in bytes: 0 for keeping none, nil where the command has
	// its own default.
	Size *int64
	// Shared has replicas keep answers for each other in the store of [shared].
	Shared bool
}

const (
	cacheHint = "below a line [cache] there can be size and shared"
	// minCache is less than which would keep nothing that is worth it.
	minCache = 1 << 20
)

// readCache reads the [cache] table; replicas says whether they share anything.
func readCache(t *table, replicas bool) Cache {
	c := Cache{Size: cacheSize(t), Shared: t.boolean("shared", false)}
	if c.Shared && !replicas {
		t.fault("shared", withHint("write [shared] with url, or leave it out: docs/replicas.md", "there is no [shared] that says where"))
	}
	return c
}

// cacheSize reads how large it is, nil where nothing is said.
func cacheSize(t *table) *int64 {
	v, ok := t.lookup("size")
	if !ok {
		return nil
	}
	if v == int64(0) || v == "0" {
		return new(int64)
	}
	size := t.bytes("size")
	if size == 0 {
		return nil
	}
	if size < minCache {
		t.fault("size", withHint(`for example "64MiB", or 0 to keep no answers`, "must be 1MiB at least"))
	}
	return &size
}
