package config

// Cache is the [cache] table.
type Cache struct {
	// Size is how much memory answers may take, in bytes: 0 for keeping none, nil where the command has
	// its own default.
	Size *int64
}

const (
	cacheHint = "below a line [cache] there can be size"
	// minCache is less than which would keep nothing that is worth it.
	minCache = 1 << 20
)

// readCache reads the [cache] table.
func readCache(t *table) Cache {
	v, ok := t.lookup("size")
	if !ok {
		return Cache{}
	}
	if v == int64(0) || v == "0" {
		return Cache{Size: new(int64)}
	}
	size := t.bytes("size")
	if size == 0 {
		return Cache{}
	}
	if size < minCache {
		t.fault("size", withHint(`for example "64MiB", or 0 to keep no answers`, "must be 1MiB at least"))
	}
	return Cache{Size: &size}
}
